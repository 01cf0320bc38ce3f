"""Budgets and memory over restarts, reboots, clocks that jump and files that are torn."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.runtime.captures.budgets import DAY, HOUR, MINUTE, Budget
from lineside.runtime.captures.memory import FILE
from lineside.runtime.captures.passed import Mark, Passed
from lineside.runtime.captures.settings import UncertainSettings
from tests.runtime.captures.worlds import Device, found, image


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path, strategies=(UncertainSettings(per_hour=4, per_day=10),))


def test_a_month_of_restarts_refills_nothing(device: Device) -> None:
    assert device.uncertain(range(20)) == 4
    kept = 0
    for number in range(1, 31):
        device.wait(1)
        device.restart()
        kept += device.uncertain(range(number * 100, number * 100 + 20))
    assert kept == 0
    device.wait(HOUR)
    device.restart()
    assert device.uncertain(range(5000, 5020)) == 4


def test_a_budget_of_a_day_holds_back_what_the_hour_would_allow(device: Device) -> None:
    kept = 0
    for hour in range(24):
        kept += device.uncertain(range(hour * 100, hour * 100 + 20))
        device.wait(HOUR)
    assert kept == 19  # ten at once, and what came back of ten a day
    assert device.counts["uncertain"].refused["budget"] == 24 * 20 - kept


@pytest.mark.parametrize("wall", [0.0, 1.8e9 - 10 * DAY, 1.8e9])
def test_a_clock_that_goes_back_at_a_reboot_refills_nothing(device: Device, wall: float) -> None:
    assert device.uncertain(range(20)) == 4
    for number in range(1, 20):
        device.reboot(wall)
        assert device.uncertain(range(number * 100, number * 100 + 20)) == 0
        device.wall = 1.8e9 + number  # the clock is set by the network


def test_a_clock_that_is_set_while_it_runs_refills_nothing(device: Device) -> None:
    assert device.uncertain(range(20)) == 4
    device.wall += 300 * DAY
    assert device.uncertain(range(100, 120)) == 0
    device.restart()
    assert device.uncertain(range(200, 220)) == 0


def test_time_that_passed_while_the_device_was_off_counts(device: Device) -> None:
    assert device.uncertain(range(20)) == 4
    device.reboot(device.wall + HOUR / 2)
    assert device.uncertain(range(100, 120)) == 2


def test_what_was_kept_is_not_kept_again_after_a_restart(device: Device) -> None:
    assert device.offer(image(1), found(0.3))
    device.restart()
    assert device.offer(image(1), found(0.3)) is None
    assert device.counts["uncertain"].refused == {"same image": 1}


@pytest.mark.parametrize("junk", [b"", bytes(8192), b"junk" * 500], ids=["half", "zeros", "junk"])
def test_a_torn_memory_begins_with_empty_budgets(device: Device, junk: bytes) -> None:
    assert device.uncertain(range(20)) == 4
    device.memory.close()
    file = device.work / FILE
    file.write_bytes(junk or file.read_bytes()[:100])
    device.start()
    assert device.memory.lost
    assert device.uncertain(range(100, 120)) == 0
    device.wait(DAY / 10)
    assert device.uncertain(range(200, 220)) == 1
    device.restart()
    assert not device.memory.lost


@settings(max_examples=40, deadline=None)
@given(
    limits=st.dictionaries(st.sampled_from([MINUTE, HOUR, DAY]), st.floats(0, 50), min_size=1),
    steps=st.lists(st.floats(0, 5000), max_size=60),
)
def test_no_period_sees_more_than_its_limit_and_what_came_back(limits: dict[int, float], steps: list[float]) -> None:
    now, taken = [0.0], 0
    budget = Budget(limits, lambda: now[0])
    for step in steps:
        now[0] += step
        budget = Budget(limits, lambda: now[0], budget.saved())  # a restart
        while budget.take():
            taken += 1
    for period, limit in limits.items():
        allowed = (max(limit, 1.0) if limit else 0.0) + now[0] * limit / period
        assert taken <= allowed + 1e-6


def test_passed_never_goes_back() -> None:
    wall = [0.0]
    mark = Mark(total=50.0, boot="one", since_boot=1e6, latest=1e9)
    for boot in ("one", "two", ""):
        passed = Passed(mark, counter=lambda: 10.0, wall=lambda: wall[0], boot=boot)
        assert passed() == 50.0
        assert passed.mark().latest == 1e9
