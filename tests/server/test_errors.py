"""What nobody foresaw: the caller learns its kind, the log keeps the traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import structlog
from litestar import get

from lineside.server.access.room import room as access
from lineside.server.devices.room import room as devices
from lineside.server.services import Core, Room
from lineside.server.testing import Running, running


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("errors"), None, (access, devices)) as found:
        yield found


@get("/broken", sync_to_thread=True)
def broken() -> None:
    raise ZeroDivisionError("secret path /srv/x")


@pytest.mark.parametrize("body", [b'{"name": "\xff"}', b"[" * 20_000, b'{"name": ' + b"[" * 20_000], ids=len)
@pytest.mark.parametrize("path", ["people_url /api/v1/devices/tokens", "device_url /device/v1/join"])
def test_a_body_that_nobody_can_read_is_refused(house: Running, path: str, body: bytes) -> None:
    """Not UTF-8, or nested deeper than Python goes: a request of anybody's must be no failure of ours."""
    base, _, rest = path.partition(" ")
    answer = httpx.post(getattr(house, base) + rest, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "request.invalid")


def test_a_traceback_stays_in_the_log(tmp_path: Path) -> None:
    def with_fault(core: Core) -> Room:
        return Room(people=[broken])

    with running(tmp_path, None, (access, devices, with_fault)) as lineside, structlog.testing.capture_logs() as logs:
        answer = httpx.get(f"{lineside.people_url}/api/v1/broken")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal.unexpected")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    (line,) = [line for line in logs if line["event"] == "request failed"]
    assert isinstance(line["exc_info"], ZeroDivisionError)


@pytest.mark.parametrize("path", ["events?before=1" + "0" * 30, "models/tags/versions/1" + "0" * 30])
def test_a_number_that_no_database_holds_is_no_failure_of_ours(tmp_path: Path, path: str) -> None:
    with running(tmp_path) as lineside:
        answer = httpx.get(f"{lineside.people_url}/api/v1/{path}")
    assert answer.status_code in (400, 404)
