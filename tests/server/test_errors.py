"""What nobody foresaw: the caller learns its kind, the log keeps the traceback."""

from __future__ import annotations

from pathlib import Path

import httpx
import structlog
from litestar import get

from lineside.server.access.room import room as access
from lineside.server.devices.room import room as devices
from lineside.server.services import Core, Room
from lineside.server.testing import running


@get("/broken", sync_to_thread=True)
def broken() -> None:
    raise ZeroDivisionError("secret path /srv/x")


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
