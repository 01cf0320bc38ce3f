"""Alarms: raised when k of n windows are far, said once, cleared by themselves; and what leaves them as they are."""

from __future__ import annotations

import msgspec
from sqlalchemy import select

from lineside.contract.drift import sketch_of
from lineside.contract.drift_alarm import AlarmState
from lineside.server.access.store import EventRow
from lineside.server.clock import rfc3339
from lineside.server.drift.service import DriftService
from lineside.server.drift.store import AlarmRow, DriftHourRow, DriftWindowRow, StreamRow
from lineside.server.services import Core
from lineside.server.testing import FakeClock
from tests.server.drift.conftest import Tell
from tests.server.drift.telling import OTHER_FILE, a_device, a_model, baseline, payload, rows, window


def events(core: Core, kind: str) -> list[str]:
    with core.database.read() as session:
        return list(session.scalars(select(EventRow.message).where(EventRow.kind == kind)))


def test_the_second_far_window_of_three_raises_an_alarm_once_and_near_ones_clear_it(core: Core, tell: Tell) -> None:
    tell()
    tell(light=-60)
    assert rows(core, AlarmRow) == []
    tell()
    tell(light=-60)
    (alarm,) = rows(core, AlarmRow)
    assert alarm.quantities.keys() == {"brightness"}
    assert alarm.quantities["brightness"].shift < -5
    assert [cause.name for cause in alarm.causes] == ["light"]
    assert alarm.value(alarm.raised_at).state is AlarmState.RAISED
    (said,) = events(core, "drift.raise")
    assert said.startswith("Drift on cam-1, cam: brightness -7")
    assert "darker" in said
    for _ in range(2):
        tell(light=-60)
    for _ in range(2):
        tell()
    assert rows(core, AlarmRow)[0].cleared_at is None
    tell()
    (alarm,) = rows(core, AlarmRow)
    assert alarm.cleared_why == "its windows are near again"
    assert events(core, "drift.clear") == ["Drift on cam-1, cam is over: its windows are near again."]
    assert len(events(core, "drift.raise")) == 1
    (stream,) = [row for row in rows(core, StreamRow) if row.scope == "device"]
    assert (stream.alarm, stream.baseline, stream.windows) == (None, "tests", 9)


def test_a_device_says_how_many_of_how_many_windows_count(core: Core, tell: Tell) -> None:
    """As its own configuration has it; a change of that holds for the windows that were there before, too."""
    for _ in range(2):
        tell(light=-60, k=3, n=5)
    assert rows(core, AlarmRow) == []
    tell(light=-60, k=3, n=5)
    (alarm,) = rows(core, AlarmRow)
    (stream,) = [row for row in rows(core, StreamRow) if row.scope == "device"]
    assert (stream.value().k, stream.value().n) == (3, 5)
    for _ in range(4):
        tell(k=3, n=5)
    assert rows(core, AlarmRow)[0].cleared_at is None  # the last of five is far
    tell(k=1, n=2)
    assert rows(core, AlarmRow)[0].cleared_at is not None
    tell(light=-60, k=1, n=2)
    assert [row.number for row in rows(core, AlarmRow)] == [alarm.number, alarm.number + 1]


def test_what_a_model_finds_drifts_too_and_a_steady_device_raises_nothing(core: Core, tell: Tell) -> None:
    a_device(core, "cam-2")
    for _ in range(3):
        tell(confidence=-0.2, classes={"dent": 40, "scratch": 40, "hole": 20})
        tell("cam-2")
    (alarm,) = rows(core, AlarmRow)
    assert (alarm.name, alarm.quantities.keys()) == ("cam-1", {"confidence", "class:hole"})


def test_the_same_window_twice_counts_once(core: Core, drift: DriftService, clock: FakeClock) -> None:
    far = window(core, light=-60)
    clock.advance(600)
    assert drift.take("cam-1", payload(far))
    assert not drift.take("cam-1", payload(far))
    assert rows(core, AlarmRow) == []
    assert {hour.window.frames for hour in rows(core, DriftHourRow)} == {100}
    clock.advance(3600)
    assert not drift.take("cam-1", payload(far))
    assert len(rows(core, DriftWindowRow)) == 1


def test_windows_out_of_order_raise_and_clear_nothing(core: Core, drift: DriftService, clock: FakeClock) -> None:
    """Each is remembered in its place; what counts are windows in their order."""
    told = []
    for number in range(6):
        told.append(window(core, number=number, light=-60 if number < 4 else 0))
        clock.advance(600)
    for number in (4, 5, 0, 1, 2, 3):
        assert drift.take("cam-1", payload(told[number]))
    assert rows(core, AlarmRow) == []
    assert len(rows(core, DriftWindowRow)) == 6
    device = next(row for row in rows(core, StreamRow) if row.scope == "device")
    assert device.last_at == told[5].began_at


def test_a_clock_that_is_ahead_has_our_time(core: Core, drift: DriftService, clock: FakeClock) -> None:
    for number in range(2):
        ahead = window(core, number=number, light=-60, began_at=f"2031-01-01T00:{number}0:00.000Z")
        clock.advance(600)
        assert drift.take("cam-1", payload(ahead))
        assert not drift.take("cam-1", payload(ahead))
    assert [alarm.shown_since for alarm in rows(core, AlarmRow)] == ["2026-01-01T00:00:00.000Z"]
    right = window(core, number=3)
    clock.advance(600)
    assert drift.take("cam-1", payload(right))  # set right, it goes on
    assert max(row.at for row in rows(core, DriftWindowRow)) == right.began_at


def test_another_model_ends_the_alarm_of_the_one_before(core: Core, tell: Tell) -> None:
    for _ in range(3):
        tell(light=-60)
    late = window(core, number=99, light=-60)
    a_model(core, 2, OTHER_FILE)
    tell(version=2, digest=OTHER_FILE)
    (alarm,) = rows(core, AlarmRow)
    assert alarm.cleared_why == "another model runs, tags:2"
    stream = next(row for row in rows(core, StreamRow) if row.scope == "device")
    assert (stream.version, stream.windows, stream.alarm) == (2, 1, None)
    assert late.digest != stream.digest


def test_two_versions_of_one_file_are_held_against_what_each_was_tested_with(core: Core, tell: Tell) -> None:
    tell()
    dark = {"brightness": sketch_of("brightness", (60 + number % 17 - 8 for number in range(200)))}
    a_model(core, 2, drift=msgspec.structs.replace(baseline(), sketches=baseline().sketches | dark))
    for _ in range(4):
        tell(version=2, light=-60)
    assert rows(core, AlarmRow) == []
    (stream,) = (row for row in rows(core, StreamRow) if row.scope == "device")
    assert (stream.version, stream.windows) == (2, 4)
    assert {row.version for row in rows(core, StreamRow) if row.scope == "fleet"} == {1, 2}


def test_twins_strangers_and_quarantined_devices_say_nothing_of_the_fleet(core: Core, tell: Tell) -> None:
    a_device(core, "twin-1", twin=True)
    a_device(core, "cam-2", state="quarantined")
    assert not any(tell(name, light=-60) for name in ("twin-1", "cam-2", "nobody") for _ in range(3))
    assert rows(core, StreamRow) == []


def test_a_model_without_a_baseline_is_watched_and_raises_nothing(core: Core, tell: Tell) -> None:
    for _ in range(3):
        tell(digest=OTHER_FILE, light=-60)
    assert rows(core, AlarmRow) == []
    assert {row.baseline for row in rows(core, StreamRow) if row.scope == "device"} == {""}


def test_a_muted_stream_is_watched_and_asks_for_nobody_until_then(
    core: Core, tell: Tell, drift: DriftService, clock: FakeClock
) -> None:
    tell()
    with core.database.write() as session:
        stream = session.scalars(select(StreamRow).where(StreamRow.scope == "device")).one()
        stream.muted_until = rfc3339(clock.now().replace(hour=5))
    for _ in range(3):
        tell(light=-60)
    drift.step()
    (alarm,) = rows(core, AlarmRow)
    assert alarm.value(rfc3339(clock.now())).state is AlarmState.MUTED
    assert events(core, "drift.raise") == []
    clock.advance(6 * 3600)
    drift.step()
    drift.step()
    assert len(events(core, "drift.raise")) == 1
