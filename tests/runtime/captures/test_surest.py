"""A class of interest whose budget runs short: the surest are kept, not whoever comes first."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lineside.runtime.captures.settings import ClassSettings, UncertainSettings
from tests.runtime.captures.worlds import Device, found, image

DENTS = ClassSettings(classes=("dent",), above=0.1, per_day=40)
DAY = 86400


def day(device: Device, confidences: list[float]) -> list[float]:
    """The confidences of those kept of a day's dents, which come evenly."""
    kept = []
    for number, confidence in enumerate(confidences):
        device.counter += DAY / len(confidences)
        if device.offer(image(number), found(confidence, "dent")):
            kept.append(confidence)
    return kept


def test_a_flood_of_unsure_ones_leaves_room_for_each_sure_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    unsure = rng.uniform(0.1, 0.4, 1500).tolist()
    sure = set(rng.permutation(1500)[:30].tolist())
    stream = [0.6 + value / 2 if number in sure else value for number, value in enumerate(unsure)]
    kept = day(Device(tmp_path, strategies=(DENTS,)), stream)
    assert sum(confidence > 0.5 for confidence in kept) >= 24  # the first come alone would be four
    assert 60 <= len(kept) <= 80  # a full bucket at first, then what it fills again: the budget is used


def test_what_a_budget_can_hold_is_kept_however_unsure(tmp_path: Path) -> None:
    stream = np.random.default_rng(2).uniform(0.1, 0.9, 40).tolist()
    assert day(Device(tmp_path, strategies=(DENTS,)), stream) == stream


def test_all_as_sure_are_kept_until_the_budget_is_used_up(tmp_path: Path) -> None:
    device = Device(tmp_path, strategies=(DENTS,))
    assert sum(device.offer(image(number), found(0.6, "dent")) is not None for number in range(100)) == 40


def test_one_that_is_not_sure_enough_is_counted_told_and_passed_on(tmp_path: Path) -> None:
    device = Device(tmp_path, strategies=(DENTS, UncertainSettings(band=(0.1, 0.3), per_day=1000)))
    records = [device.offer(image(number), found(0.9 - number / 1000, "dent")) for number in range(40)]
    assert [record.strategy for record in records if record][:20] == ["class"] * 20
    passed_on = device.offer(image(100), found(0.2, "dent"))
    assert passed_on
    assert passed_on.strategy == "uncertain"
    assert device.offer(image(101), found(0.5, "dent")) is None
    counts = device.counts["class"]
    assert counts.refused == {"budget": counts.wanted - counts.kept}
    assert device.last_refusal.startswith("The budget of class is short: 49% of it is left, for the surest ")
    assert "from a confidence of 0.8" in device.last_refusal


def test_a_restart_begins_with_what_comes_but_keeps_the_budget(tmp_path: Path) -> None:
    device = Device(tmp_path, strategies=(DENTS,))
    assert sum(device.offer(image(number), found(0.9, "dent")) is not None for number in range(30)) == 30
    device.restart()
    assert sum(device.offer(image(number), found(0.2, "dent")) is not None for number in range(100, 200)) == 10
