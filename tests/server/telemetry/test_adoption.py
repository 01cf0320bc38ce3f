"""Adoption: what devices report that they run, counted by version, written down where it changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from lineside.client import Client
from lineside.contract.measure import AdoptionPoint
from lineside.contract.reported import ComponentState, Phase, Report, ReportedComponent
from lineside.server.clock import rfc3339
from lineside.server.devices.running import DeviceComponentRow, note_running
from lineside.server.devices.store import DeviceRow
from lineside.server.services import Core
from lineside.server.telemetry.adoption import KEPT_DAYS, AdoptionLoop, AdoptionRow, adoption_of, adoptions
from lineside.server.testing import FakeClock, Running
from lineside.server.testing_device import TestDevice


def report(device: str, sequence: int = 0, **versions: str) -> Report:
    running = tuple(
        ReportedComponent(name=name, version=version, recipe_digest=f"sha256:{version}", state=ComponentState.RUNNING)
        for name, version in versions.items()
    )
    return Report(device=device, sequence=sequence, at="2026", revision=1, phase=Phase.HEALTHY, running=running)


class Line:
    """Devices that report what they run."""

    def __init__(self, core: Core) -> None:
        self.core, self.newest = core, dict[str, Report]()

    def runs(self, device: str, state: str = "accepted", **versions: str) -> None:
        with self.core.database.write() as session:
            if session.get(DeviceRow, device) is None:
                fields: dict[str, Any] = {"key": "", "certificate": "", "token": "", "facts": {}, "joined_at": "2026"}
                session.add(DeviceRow(name=device, state=state, twin=False, fingerprint=device, **fields))
                session.flush()
            now = report(device, **versions)
            note_running(session, [(device, self.newest.get(device), now)])
            self.newest[device] = now

    def rows(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        with self.core.database.read() as session:
            for row in session.scalars(select(DeviceComponentRow)):
                found.setdefault(row.device, {})[row.name] = row.version
        return found

    def points(self, name: str) -> list[dict[str, int]]:
        with self.core.database.read() as session:
            return [point.versions for point in adoption_of(session, name).points]


@pytest.fixture
def line(core: Core) -> Line:
    return Line(core)


def test_what_runs_is_kept_as_it_changes(line: Line) -> None:
    line.runs("cam-1", app="1.0.0", tags="1.0.0")
    line.runs("cam-1", app="1.0.0", tags="2.0.0")
    line.runs("cam-2", app="1.0.0")
    line.runs("cam-1", tags="2.0.0", other="1.0.0")
    assert line.rows() == {"cam-1": {"tags": "2.0.0", "other": "1.0.0"}, "cam-2": {"app": "1.0.0"}}
    line.runs("cam-1")
    assert line.rows() == {"cam-2": {"app": "1.0.0"}}


def test_a_name_that_no_database_takes_is_cut(line: Line) -> None:
    line.runs("cam-1", **{"a" * 300: "9" * 300, "b\x00": "1"})
    assert {name: len(version) for name, version in line.rows()["cam-1"].items()} == {"a" * 128: 64, "b": 1}


def test_a_point_is_written_where_something_changed(line: Line, core: Core, clock: FakeClock) -> None:
    loop = AdoptionLoop(core)
    for device in ("cam-1", "cam-2", "cam-3"):
        line.runs(device, tags="1.0.0")
    line.runs("cam-9", "quarantined", tags="9.0.0")
    for _ in range(3):
        loop.step()
        clock.advance(60)
    assert line.points("tags") == [{"1.0.0": 3}]
    line.runs("cam-1", tags="2.0.0")
    loop.step()
    clock.advance(60)
    for device in ("cam-1", "cam-2"):
        line.runs(device, tags="2.0.0")
    line.runs("cam-3")
    loop.step()
    clock.advance(60)
    assert line.points("tags") == [{"1.0.0": 3}, {"1.0.0": 2, "2.0.0": 1}, {"1.0.0": 0, "2.0.0": 2}]
    for device in ("cam-1", "cam-2"):
        line.runs(device)
    loop.step()
    clock.advance(60)
    loop.step()
    assert line.points("tags")[-1] == {"2.0.0": 0}
    assert len(line.points("tags")) == 4


def test_old_points_are_forgotten_but_for_the_newest(line: Line, core: Core, clock: FakeClock) -> None:
    loop = AdoptionLoop(core)
    line.runs("cam-1", tags="1.0.0", app="1.0.0")
    loop.step()
    clock.advance(60)
    line.runs("cam-1", tags="2.0.0", app="1.0.0")
    loop.step()
    clock.advance(timedelta(days=KEPT_DAYS + 1).total_seconds())
    loop.step()
    assert (line.points("tags"), line.points("app")) == ([{"1.0.0": 0, "2.0.0": 1}], [{"1.0.0": 1}])


def test_thousands_of_devices_are_one_statement(line: Line, core: Core) -> None:
    with core.database.write() as session:
        for n in range(300):
            fields: dict[str, Any] = {"key": "", "certificate": "", "token": "", "facts": {}, "joined_at": "2026"}
            session.add(DeviceRow(name=f"cam-{n}", twin=False, fingerprint=str(n), **fields))
        session.flush()
        for n in range(300):
            note_running(session, [(f"cam-{n}", None, report(f"cam-{n}", tags=f"{1 + n % 2}.0.0"))])
    with core.database.read() as session:
        assert [(one.name, one.now) for one in adoptions(session)] == [("tags", {"1.0.0": 150, "2.0.0": 150})]
    AdoptionLoop(core).step()
    with core.database.read() as session:
        assert session.scalar(select(func.count()).select_from(AdoptionRow)) == 2


def test_from_a_devices_report_to_the_client_and_the_pages(lineside: Running, clock: FakeClock) -> None:
    device = TestDevice.join(lineside, "cam-1")
    assert device.report(revision=0, running=report("cam-1", tags="1.0.0").running).is_success
    AdoptionLoop(lineside.core).step()
    client = Client(lineside.people_url)
    assert [(one.name, one.now, one.points) for one in client.adoptions()] == [("tags", {"1.0.0": 1}, ())]
    found = client.adoption("tags")
    assert found.now == {"1.0.0": 1}
    assert found.points == (AdoptionPoint(at=rfc3339(clock.now()), versions={"1.0.0": 1}),)
    assert client.adoption("nothing").now == {}
    listed, own = (httpx.get(f"{lineside.people_url}/adoption{rest}") for rest in ("", "/tags"))
    assert (listed.status_code, own.status_code) == (200, 200)
    assert 'href="/adoption/tags"' in listed.text
    assert 'data-src="/api/v1/adoption/tags"' in own.text
