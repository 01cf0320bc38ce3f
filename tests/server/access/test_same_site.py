"""The people's API answers this machine's browser and tools, and no page of another site."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from litestar.datastructures import Headers

from lineside.contract.people import Permission
from lineside.server.access.caller import Caller
from lineside.server.access.room import room as access
from lineside.server.access.same_site import SameSite
from lineside.server.access.testing import Listed
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


SIGNED_IN = Caller(name="vera", by="session", permissions=frozenset(Permission))
TOKEN = Caller(name="vera", by="token", permissions=frozenset(Permission))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One where `vera` is signed in with a cookie, and has a token."""
    door = Listed({"cookie": SIGNED_IN, "token": TOKEN})
    with running(tmp_path_factory.mktemp("guarded"), None, (access, devices), doorkeeper=door) as up:
        yield up


COOKIE = {"Cookie": "lineside_session=cookie"}


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {"Origin": "http://127.0.0.1:PORT"}),
        ("POST", {"Sec-Fetch-Site": "same-origin"}),
        ("GET", {}),
        ("GET", {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}),  # a link in a mail or a ticket
    ],
)
def test_a_session_is_good_for_our_own_pages(guarded: Running, method: str, headers: dict[str, str]) -> None:
    assert ask(guarded, method, COOKIE | headers) == "ok"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {}),  # what sends cookies is a browser, and a browser says where it comes from
        ("POST", {"Origin": "null"}),
        ("POST", {"Origin": "https://127.0.0.1:PORT"}),  # the same host, without its TLS or with
        ("POST", {"Origin": "http://127.0.0.1"}),
        ("POST", {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:PORT"}),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}),  # a picture or a script elsewhere
        ("GET", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}),
    ],
)
def test_a_session_is_of_no_use_to_another_site(guarded: Running, method: str, headers: dict[str, str]) -> None:
    assert ask(guarded, method, COOKIE | headers) == "request.cross_site"


def test_a_token_needs_no_word_of_where_it_comes_from(guarded: Running) -> None:
    assert ask(guarded, "POST", {"Authorization": "Bearer token"}) == "ok"


def test_a_form_of_another_site_changes_nothing_and_says_so_on_a_page(guarded: Running) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://evil.example"}
    answer = httpx.post(f"{guarded.people_url}/devices/cam-1/diagnosis", headers=COOKIE | form)
    assert answer.status_code == 403
    assert "another site" in answer.text


@pytest.mark.parametrize(
    ("host", "everywhere", "ours"),
    [
        ("plant.example:8400", False, True),
        ("PLANT.example", False, True),
        ("a.line.example", False, True),
        ("a.b.line.example", False, False),
        ("line.example", False, False),
        ("192.168.1.5:8400", False, False),
        ("192.168.1.5:8400", True, True),
        ("[fe80::1]:8400", True, True),
        ("evil.example", True, False),
        ("192.168.1.5.evil.example", True, False),
    ],
)
def test_names_it_is_called_by(host: str, everywhere: bool, ours: bool) -> None:
    door = SameSite(frozenset({"plant.example", "*.line.example"}), everywhere)
    assert (door.refusal("GET", "http", Headers({"host": host})) is None) == ours
