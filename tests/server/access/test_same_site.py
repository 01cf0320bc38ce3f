"""The people's API answers this machine's browser and tools, and no page of another site."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from lineside.server.access.room import room as access
from lineside.server.devices.room import room as devices
from lineside.server.testing import Running, running


@pytest.fixture(scope="module")
def lineside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for all: no test here looks at what another left."""
    with running(tmp_path_factory.mktemp("lineside"), None, (access, devices)) as up:
        yield up


def ask(lineside: Running, method: str, headers: dict[str, str]) -> str:
    port = lineside.people_url.rpartition(":")[2]
    filled = {name: value.replace("PORT", port) for name, value in headers.items()}
    if method == "POST":
        answer = httpx.post(f"{lineside.people_url}/api/v1/devices/tokens", json={}, headers=filled)
    else:
        answer = httpx.get(f"{lineside.people_url}/api/v1/events", headers=filled)
    return "ok" if answer.is_success else str(answer.json()["error"]["code"])


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {}),
        ("POST", {}),
        ("GET", {"Host": "localhost:PORT"}),
        ("GET", {"Host": "[::1]:PORT"}),
        ("GET", {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}),  # a link; its answer stays unread
        ("POST", {"Origin": "http://127.0.0.1:PORT", "Sec-Fetch-Site": "same-origin"}),
        ("POST", {"Sec-Fetch-Site": "none"}),
    ],
)
def test_let_in(lineside: Running, method: str, headers: dict[str, str]) -> None:
    assert ask(lineside, method, headers) == "ok"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {"Host": "evil.example"}),
        ("GET", {"Host": "127.0.0.1.evil.example:PORT"}),
        ("GET", {"Host": ""}),
        ("GET", {"Host": "[::1"}),
        ("POST", {"Host": "evil.example:PORT"}),
        ("POST", {"Origin": "https://evil.example"}),
        ("POST", {"Origin": "null"}),
        ("POST", {"Origin": "http://127.0.0.1:1"}),  # another program's page on this machine
        ("POST", {"Sec-Fetch-Site": "cross-site"}),
        ("POST", {"Sec-Fetch-Site": "same-site"}),
    ],
)
def test_kept_out(lineside: Running, method: str, headers: dict[str, str]) -> None:
    assert ask(lineside, method, headers) == "request.cross_site"
