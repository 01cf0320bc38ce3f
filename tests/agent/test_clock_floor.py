"""Devices without a clock battery: how late it was is kept over restarts, rarely written, and never wrong for ever."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from lineside.agent.clock import Clock, rfc3339
from lineside.agent.clock_floor import KEEP_SECONDS, ClockFloor
from lineside.agent.link.https import Link
from lineside.agent.local.bundles import learn_the_time
from lineside.contract.bundle import Bundle
from lineside.contract.desired import Desired
from tests.agent.agents import AgentProcess
from tests.agent.control_plane import ControlPlane

JOINED = 1_800_000_000.0
DAY = 86_400.0
YEAR = 365 * DAY


class Device:
    """A device whose clock begins with 1970 whenever it is switched on."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "clock.json"
        self.joined = rfc3339(JOINED)
        self.switch_on()

    def switch_on(self) -> None:
        self.ticks = 0.0
        self.clock = Clock(lambda: self.ticks, lambda: self.ticks)
        self.floor = ClockFloor(self.file, self.joined, self.clock)

    def hears(self, moment: float) -> None:
        date = datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        self.clock.heard(date)
        self.floor.keep()

    def passes(self, seconds: float) -> None:
        self.ticks += seconds
        self.floor.keep()


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_a_restart_without_network_goes_on_from_the_last_that_was_heard(device: Device) -> None:
    device.hears(JOINED + 30 * DAY)
    device.switch_on()
    device.passes(100)
    assert device.clock.time() == pytest.approx(JOINED + 30 * DAY + 100)
    assert not device.clock.plausible()
    assert not device.clock.sure()


def test_it_is_written_rarely(device: Device) -> None:
    device.hears(JOINED + DAY)
    first = device.file.stat().st_ino  # another file at each write
    for _ in range(100):
        device.passes(KEEP_SECONDS / 101)
    assert device.file.stat().st_ino == first
    device.passes(KEEP_SECONDS)
    device.switch_on()
    assert device.clock.time() == pytest.approx(JOINED + DAY + 2 * KEEP_SECONDS, abs=KEEP_SECONDS / 100)


def test_a_time_that_was_wrong_by_years_for_an_hour_is_forgotten_at_once(device: Device) -> None:
    device.hears(JOINED + 10 * YEAR)
    device.switch_on()
    assert device.clock.time() > JOINED + 9 * YEAR
    device.hears(JOINED + DAY)
    device.switch_on()
    assert device.clock.time() == pytest.approx(JOINED + DAY)


def test_a_date_of_joining_that_was_wrong_does_not_stay(device: Device) -> None:
    device.hears(JOINED - YEAR)
    device.switch_on()
    assert device.clock.time() == pytest.approx(JOINED - YEAR)


def test_after_another_joining_the_date_of_that_counts(device: Device) -> None:
    device.hears(JOINED + 10 * YEAR)
    device.joined = rfc3339(JOINED + 5 * DAY)
    device.switch_on()
    assert device.clock.time() == pytest.approx(JOINED + 5 * DAY)


@pytest.mark.parametrize("torn", [b"", b"\0" * 40, b'{"at": "yesterday", "joined"', b"\xff" * 9])
def test_a_torn_file_is_as_good_as_none(device: Device, torn: bytes) -> None:
    device.hears(JOINED + DAY)
    device.file.write_bytes(torn)
    device.switch_on()
    assert device.clock.time() == pytest.approx(JOINED)


def bundle(made: float) -> Bundle:
    return Bundle(name="b", created_at=rfc3339(made), desired=Desired(device="cell-1", revision=1))


def test_a_signed_bundle_tells_a_device_without_network_the_time(device: Device) -> None:
    learn_the_time(bundle(JOINED + 90 * DAY), JOINED + YEAR, device.clock)
    device.floor.keep()
    device.switch_on()
    assert device.clock.time() == pytest.approx(JOINED + 90 * DAY)


def test_an_older_bundle_takes_no_time_back_and_none_beats_the_control_plane(device: Device) -> None:
    device.hears(JOINED + 90 * DAY)
    learn_the_time(bundle(JOINED + 200 * DAY), JOINED + YEAR, device.clock)
    assert device.clock.time() == pytest.approx(JOINED + 90 * DAY)
    device.switch_on()
    learn_the_time(bundle(JOINED + DAY), JOINED + YEAR, device.clock)
    assert device.clock.time() == pytest.approx(JOINED + 90 * DAY)


def test_a_bundle_from_a_wrong_year_does_not_make_all_metadata_expire(device: Device) -> None:
    learn_the_time(bundle(JOINED + 10 * YEAR), JOINED + YEAR, device.clock)
    assert device.clock.time() == pytest.approx(JOINED)


@pytest.fixture
def plane(tmp_path: Path) -> ControlPlane:
    (tmp_path / "plane").mkdir()
    return ControlPlane(tmp_path / "plane")


def test_a_time_at_which_its_own_certificate_is_not_valid_is_not_believed(plane: ControlPlane, tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path / "cell-1", plane)
    agent.join()
    clock = Clock()
    before = clock.time()
    from lineside.agent.keys.opening import open_keys

    link = Link(plane.url, "cell-1", open_keys(agent.paths), agent.paths.ca, clock=clock)
    assert link.desired(None) is not None
    plane.shift = datetime.timedelta(days=30 * 365)  # for an hour it is wrong, on connections that stand
    link.desired(None)
    assert abs(clock.time() - before) < DAY
    link.close()
    plane.close()


def test_a_wrong_time_that_was_believed_does_not_shut_the_control_plane_out(
    plane: ControlPlane, tmp_path: Path
) -> None:
    """Its certificate seems to have expired; so it is asked what time it is, and the device is right again."""
    agent = AgentProcess(tmp_path / "cell-1", plane)
    agent.join()
    wall = datetime.datetime.now(datetime.UTC).timestamp()
    clock = Clock(lambda: 0.0)
    clock.remembered(wall + 30 * YEAR)
    clock.heard("Thu, 01 Jan 2060 00:00:00 GMT")
    from lineside.agent.keys.opening import open_keys

    link = Link(plane.url, "cell-1", open_keys(agent.paths), agent.paths.ca, clock=clock)
    assert link.desired(None) is not None
    assert abs(clock.time() - wall) < DAY
    link.close()
    plane.close()
