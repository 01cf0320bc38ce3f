"""What is wrong with devices, on the first page: what several say alike is one line."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import msgspec
import pytest

from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.overview import Need, Overview
from lineside.contract.reported import Phase
from lineside.server.overview import service
from lineside.server.testing import Running
from lineside.server.testing_device import TestDevice

AWAY = LinesideError("link.broker", address="plane:8884", why="Connection refused").report()
HOT = ErrorReport(code="device.too_hot", message="cpu is at 92 °C.", next="Look at the device's fan.")


def needs(lineside: Running) -> list[Need]:
    answer = httpx.get(f"{lineside.people_url}/api/v1/overview")
    return [one for one in msgspec.json.decode(answer.content, type=Overview).needs if "devices" in one.href]


def told(lineside: Running, conditions: dict[str, Sequence[ErrorReport]]) -> None:
    for name, said in conditions.items():
        device = TestDevice.join(lineside, name)
        device.report(revision=0, phase=Phase.IDLE, conditions=tuple(said)).raise_for_status()


def test_what_devices_say_alike_is_one_need(lineside: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    told(lineside, {f"cam-{number:02}": (AWAY,) for number in range(4)} | {"hot": (HOT,), "hotter": (HOT, AWAY)})
    told(lineside, {"x": (), "y": ()})
    for name in ("x", "y"):
        asked = f"{lineside.people_url}/api/v1/devices/{name}/quarantine"
        httpx.post(asked, json={"reason": "looked at"}).raise_for_status()
    assert needs(lineside) == [
        Need(
            what="x and y are quarantined",
            href="/devices?summary=quarantined",
            command="lineside devices list --state quarantined",
        ),
        Need(
            what=f"cam-00, cam-01 and 2 more: {AWAY.message}",
            href="/devices/cam-00",
            command="lineside devices show cam-00",
        ),
        Need(what=f"hot: {HOT.message}", href="/devices/hot", command="lineside devices show hot"),
        Need(
            what=f"hotter: {HOT.message} (and 1 more)", href="/devices/hotter", command="lineside devices show hotter"
        ),
    ]
    monkeypatch.setattr(service, "_WORRIES", 3)
    last = needs(lineside)[3:]
    command = "lineside devices list --state troubled"
    assert last == [Need(what="More devices need a look", href="/devices?summary=troubled", command=command)]
    asked = httpx.get(f"{lineside.people_url}/api/v1/devices", params={"summary": "troubled"}).json()
    assert asked["total"] == 8
    monkeypatch.setattr(service, "_LOOKED_AT", 4)
    assert [one.what for one in needs(lineside)] == [
        f"cam-00, cam-01 and 2 more: {AWAY.message}",
        "More devices need a look",
    ]
