"""Telemetry at the control plane: by minute and by hour, once each, bounded, and what makes no sense is not taken."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from lineside.client import Client
from lineside.contract import topics
from lineside.contract.errors import LinesideError, RemoteError
from lineside.contract.histogram import LATENCY_STEPS, latency_step
from lineside.contract.telemetry import MOST_SOURCES, OTHER, DeviceTelemetry, Machine, SourceTelemetry, Telemetry
from lineside.server.clock import rfc3339
from lineside.server.devices.store import DeviceRow
from lineside.server.services import Core
from lineside.server.telemetry import telemetry_store as store
from lineside.server.telemetry.room import room
from lineside.server.telemetry.telemetry_service import TelemetryService
from lineside.server.telemetry.telemetry_store import MOST_COMPONENTS, TelemetryRow
from lineside.server.telemetry.told import MOST_KEPT, cut
from lineside.server.testing import FakeClock, Running
from tests.server.telemetry.test_results import payload as result_payload


def source(decided: int = 100, latency_ms: float = 10.0, **fields: Any) -> SourceTelemetry:
    return SourceTelemetry(decided=decided, latency={latency_step(latency_ms): decided}, **fields)


def told(core: Core, number: int = 1, device: str = "cam-1", **fields: Any) -> Telemetry:
    values: dict[str, Any] = {
        "device": device,
        "component": "tags.inference",
        "process": "p1",
        "number": number,
        "at": rfc3339(core.clock.now()),
        "seconds": 60.0,
        "sources": {"cam": source(skipped={"superseded": 5})},
        "machine": Machine(memory_mb=90.0, temperature_celsius=60.0),
    }
    return Telemetry(**values | fields)


@pytest.fixture
def service(core: Core) -> TelemetryService:
    a_device(core)
    return TelemetryService(core)


def a_device(core: Core) -> None:
    fields: dict[str, Any] = {"key": "", "certificate": "", "token": "", "facts": {}, "joined_at": "2026"}
    with core.database.write() as session:
        session.add(DeviceRow(name="cam-1", state="accepted", twin=False, fingerprint="cam-1", **fields))


def take(service: TelemetryService, message: Telemetry) -> None:
    service.receive(message.device, msgspec.json.encode(message))


def count(core: Core) -> int:
    with core.database.read() as session:
        return session.scalar(select(func.count()).select_from(TelemetryRow)) or 0


def test_minutes_are_kept_for_hours_and_hours_for_weeks(
    core: Core, service: TelemetryService, clock: FakeClock
) -> None:
    for number in range(1, 61):  # five hours
        machine = Machine(temperature_celsius=40.0 + number / 10)
        take(service, told(core, number, seconds=300.0, machine=machine))
        clock.advance(300)
    near, far = service.of("cam-1", 3), service.of("cam-1", 24)
    assert 35 <= len(near.points) <= 37
    assert near.points[-1].fps == pytest.approx(100 / 300, abs=0.001)
    assert 5 <= len(far.points) <= 6
    assert sum(point.decided for point in far.points) == 60 * 100
    assert far.points[-1].skipped.keys() == {"superseded"}
    assert far.points[0].machine.temperature_celsius < far.points[-1].machine.temperature_celsius
    assert [one.number for one in near.newest] == [60]
    clock.advance(15 * 24 * 3600)
    take(service, told(core, 300))
    assert count(core) == 2


def test_what_comes_twice_counts_once(core: Core, service: TelemetryService) -> None:
    for message in (told(core, 1), told(core, 1), told(core, 2), told(core, 1)):
        take(service, message)
    (point,) = service.of("cam-1", 3).points
    assert point.decided == 200


def test_a_clock_that_is_ahead_or_behind_makes_no_points_out_of_place(
    core: Core, service: TelemetryService, clock: FakeClock
) -> None:
    take(service, told(core, 1, at="2099-01-01T00:00:00.000Z"))
    take(service, told(core, 2, at="1999-01-01T00:00:00.000Z"))
    (point,) = service.of("cam-1", 3).points
    assert point.at[:16] == rfc3339(clock.now())[:16]
    assert count(core) == 2


def test_a_device_cannot_fill_the_database(core: Core, service: TelemetryService) -> None:
    for number in range(MOST_COMPONENTS):
        take(service, told(core, component=f"c-{number}"))
    with pytest.raises(LinesideError, match="too many components"):
        take(service, told(core, component="one-more"))


def greedy(round_: int) -> dict[str, SourceTelemetry]:
    """As much as a message of a device holds: 60 sources with names and reasons of its own."""
    steps = dict.fromkeys(range(LATENCY_STEPS), 1)
    skipped = {f"{round_}-{number}" + "r" * 40: 1 for number in range(10)}
    return {
        f"{round_}-{number}": SourceTelemetry(decided=number, skipped=skipped, latency=steps, waiting=1)
        for number in range(60)
    }


def test_a_row_is_cut_to_the_sources_with_the_most_frames_and_its_sums_stay(
    core: Core, service: TelemetryService
) -> None:
    busy = source(1 << 20)
    messages = [told(core, number, sources={**greedy(number), "cam": busy}) for number in range(1, 6)]
    for message in messages:
        take(service, message)
    with core.database.read() as session:
        rows = list(session.scalars(select(TelemetryRow.told)))
    assert len(rows) == 2
    for row in rows:
        assert len(msgspec.json.encode(row)) <= MOST_KEPT
        assert row.sources["cam"].decided == 5 << 20
        assert 2 < len(row.sources) < MOST_SOURCES
    (point,) = service.of("cam-1", 3).points
    assert point.decided == sum(one.decided for message in messages for one in message.sources.values())
    assert sum(point.skipped.values()) == 5 * 60 * 10


def test_what_fits_is_not_cut(core: Core) -> None:
    message = told(core, sources={str(number): source(number, skipped={"superseded": 1}) for number in range(64)})
    assert cut(message) is message
    small = cut(message, 1000)
    assert len(msgspec.json.encode(small)) <= 1000
    assert {"63", OTHER} <= small.sources.keys()
    assert "0" not in small.sources


def test_components_are_read_one_after_the_other_and_told_in_the_order_of_time(
    core: Core, service: TelemetryService, clock: FakeClock
) -> None:
    for number in range(1, 21):
        for component in ("b", "a"):
            take(service, told(core, number, component=component))
        clock.advance(60)
    points = service.of("cam-1", 1).points
    assert [point.component for point in points] == ["a", "b"] * 20
    assert [point.at for point in points] == sorted(point.at for point in points)
    with core.database.read() as session:
        found = store.since(session, "cam-1", store.MINUTE, clock.now() - timedelta(hours=1))
        assert [each.component for _, each in found] == ["a"] * 20 + ["b"] * 20


@pytest.mark.parametrize(
    "fields",
    [
        {"schema": "lineside.telemetry/2"},
        {"device": "cam-2"},
        {"component": "../x"},
        {"seconds": 0.0},
        {"seconds": 1e9},
        {"number": -1},
        {"at": "yesterday"},
        {"process": "p" * 65},
        {"sources": {str(number): SourceTelemetry() for number in range(65)}},
        {"sources": {"": SourceTelemetry()}},
        {"sources": {"cam": SourceTelemetry(decided=-1)}},
        {"sources": {"cam": SourceTelemetry(latency={64: 1})}},
        {"sources": {"cam": SourceTelemetry(latency={1: 1 << 50})}},
        {"sources": {"cam": SourceTelemetry(skipped={str(number): 1 for number in range(17)})}},
        {"machine": Machine(memory_mb=1e30)},
    ],
)
def test_what_makes_no_sense_is_not_taken(core: Core, service: TelemetryService, fields: dict[str, Any]) -> None:
    message = msgspec.structs.replace(told(core), **fields)
    with pytest.raises(LinesideError, match=r"telemetry\.invalid"):
        service.receive("cam-1", msgspec.json.encode(message))
    assert count(core) == 0


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=300))
def test_bytes_are_refused_in_one_way(service: TelemetryService, data: bytes) -> None:
    with pytest.raises(LinesideError, match=r"telemetry\.invalid"):
        service.receive("cam-1", b'{"schema":"lineside.telemetry/' + data)


def test_results_and_telemetry_come_the_same_way_and_are_told_apart(core: Core, service: TelemetryService) -> None:
    receive = room(core).on_result
    assert receive is not None
    receive("cam-1", msgspec.json.encode(told(core)))
    receive("cam-1", result_payload(1))
    assert len(service.of("cam-1", 3).points) == 1


def test_people_read_it_through_the_api(lineside: Running) -> None:
    a_device(lineside.core)
    message = told(lineside.core, sources={"cam": source()})
    lineside.apps.on_result("cam-1", msgspec.json.encode(message))
    client = Client(lineside.people_url)
    found = client.device_telemetry("cam-1")
    assert isinstance(found, DeviceTelemetry)
    assert found.points[0].decided == 100
    assert found.newest == (message,)
    with pytest.raises(RemoteError, match=r"request\.not_found"):
        client.device_telemetry("nobody")


def test_a_device_publishes_its_own_telemetry_and_no_other() -> None:
    assert topics.may_publish("cam-1", topics.telemetry("cam-1"))
    assert not topics.may_publish("cam-1", topics.telemetry("cam-2"))
    assert not topics.may_subscribe("cam-1", topics.telemetry("cam-1"))
