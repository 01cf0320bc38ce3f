"""Groups and the fleet are watched hour by hour; a device's first quiet week becomes what is usual there."""

from __future__ import annotations

import math
from datetime import timedelta

import msgspec
import pytest

from lineside.contract.drift import DriftWindow, sketch_of
from lineside.server.clock import rfc3339
from lineside.server.drift.judging import BY_ITSELF
from lineside.server.drift.service import DriftService
from lineside.server.drift.store import AlarmRow, DriftHourRow, DriftWindowRow, StreamRow
from lineside.server.services import Core
from lineside.server.testing import FakeClock
from tests.server.drift.conftest import Tell
from tests.server.drift.telling import a_device, baseline, payload, rows, window


def streams(core: Core, scope: str) -> dict[str, StreamRow]:
    return {row.name: row for row in rows(core, StreamRow) if row.scope == scope}


def test_a_group_is_told_what_no_device_alone_is_told(core: Core, drift: DriftService, clock: FakeClock) -> None:
    """A shift at every device's limit: a window of one finds nothing certain, all of an hour together do."""
    for name in ("a", "b"):
        a_device(core, name, "line-1")
    for number in range(8):  # half an hour each
        told = [_dim(window(core, name, number, seconds=1800.0), name) for name in ("a", "b")]
        clock.advance(1800)
        for one in told:
            drift.take(one.device, payload(one))
        drift.step()
    clock.advance(3600)
    drift.step()
    hours = [row for row in rows(core, DriftHourRow) if row.stream == streams(core, "group")["line-1"].id]
    assert {row.window.frames for row in hours if row.judged} == {400}
    group = streams(core, "group")["line-1"]
    assert group.windows == 4
    assert group.told["brightness"].count == 4 * 31
    alarms = {(row.scope, row.name) for row in rows(core, AlarmRow)}
    assert alarms == {("group", "line-1"), ("fleet", "fleet")}


def _dim(told: DriftWindow, name: str) -> DriftWindow:
    """2.16 spreads darker, of 31 values: the limit is 2 and some 0.18 of chance; of 124 it is 2 and 0.15."""
    spread = baseline().sketches["brightness"].spread
    middle = baseline().sketches["brightness"].mean or 0.0
    light = sketch_of("brightness", [middle - 2.165 * spread] * 31)
    return msgspec.structs.replace(told, sketches={"brightness": light}, classes={})


def test_what_an_alarm_of_a_device_says_its_group_does_not_say_again(
    core: Core, drift: DriftService, clock: FakeClock
) -> None:
    a_device(core, "a", "line-1")
    for number in range(24):
        told = window(core, "a", number, light=-60)
        clock.advance(600)
        drift.take("a", payload(told))
        drift.step()
    assert streams(core, "group")["line-1"].held.sides == {"brightness": -1}
    assert {(row.scope, row.name) for row in rows(core, AlarmRow)} == {("device", "a")}


@pytest.mark.sqlite_only
def test_a_week_without_an_alarm_becomes_what_is_usual_hour_by_hour(
    core: Core, drift: DriftService, clock: FakeClock
) -> None:
    """By day it is lighter than at night, within the limits of the test images. Then night light at noon is drift."""
    for hour in range(7 * 24 + 1):
        at = clock.now()
        told = window(core, "cam-1", hour, seconds=3600.0, light=_daylight(at.hour))
        clock.advance(3600)
        assert drift.take("cam-1", payload(told))
    (stream,) = streams(core, "device").values()
    assert (stream.baseline, stream.accepted_by, rows(core, AlarmRow)) == ("field", BY_ITSELF, [])
    assert stream.usual is not None
    assert stream.usual.field
    centre = stream.usual.levels["brightness"].centre
    assert centre[12] - centre[0] == pytest.approx(20, abs=4)
    while clock.now().hour != 11:
        clock.advance(3600)
    for number in range(2):
        told = window(core, "cam-1", 500 + number, light=_daylight(0))
        clock.advance(600)
        drift.take("cam-1", payload(told))
    (alarm,) = rows(core, AlarmRow)
    assert set(alarm.quantities) == {"brightness"}


def _daylight(hour: int) -> float:
    return -10 * math.cos(hour / 24 * 2 * math.pi)


@pytest.mark.sqlite_only
def test_what_drifts_is_not_taken_for_usual(core: Core, drift: DriftService, clock: FakeClock) -> None:
    for hour in range(9 * 24):
        told = window(core, "cam-1", hour, seconds=3600.0, light=-60 if hour > 10 else 0)
        clock.advance(3600)
        drift.take("cam-1", payload(told))
    (stream,) = streams(core, "device").values()
    assert stream.usual is None
    assert stream.alarm is not None


def test_what_is_old_is_forgotten(core: Core, drift: DriftService, tell: Tell, clock: FakeClock) -> None:
    tell()
    clock.advance(15 * 86_400)
    drift.tidy()
    kept = {row.stream for row in rows(core, DriftHourRow)}
    assert kept == {row.id for row in streams(core, "fleet").values()}
    clock.advance(100 * 86_400)
    drift.tidy()
    assert rows(core, DriftHourRow) == rows(core, DriftWindowRow) == rows(core, StreamRow) == []
    assert rfc3339(clock.now() - timedelta(days=1)) > "2026-04"
