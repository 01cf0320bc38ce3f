"""What each strategy wants, why, and in which order they are asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineside.contract.errors import LinesideError
from lineside.runtime.captures.settings import (
    CaptureSettings,
    ClassSettings,
    DriftSettings,
    IntervalSettings,
    NothingSettings,
    RandomSettings,
    UncertainSettings,
)
from lineside.runtime.captures.strategies import Drifting, Seen
from tests.runtime.captures.worlds import Device, found, image
from tests.runtime.test_settings import made


def test_nothing_found_is_kept_only_where_something_is_usual(tmp_path: Path) -> None:
    device = Device(tmp_path, strategies=(NothingSettings(usual=0.9),))
    assert device.offer(image(0)) is None  # nothing is known of the stream yet
    for number in range(1, 101):
        assert device.offer(image(number), found(0.9)) is None
        assert device.offer(image(1000 + number), source="empty belt") is None
    record = device.offer(image(200))
    assert record
    assert record.strategy == "nothing"
    assert record.reason == "Nothing found, where 99.0% of the 101 images before had something."
    assert device.offer(image(2000), source="empty belt") is None


def test_where_one_class_is_always_expected_its_absence_is_kept_at_once(tmp_path: Path) -> None:
    device = Device(tmp_path, strategies=(NothingSettings(classes=("tag",)),))
    assert device.offer(image(1), found(0.9, "tag")) is None
    record = device.offer(image(2), found(0.9, "dent"))
    assert record
    assert record.reason == "None of tag found, where one is expected."


@pytest.mark.parametrize(
    ("label", "confidence", "kept"), [("dent", 0.4, True), ("dent", 0.3, False), ("scratch", 0.9, False)]
)
def test_a_class_of_interest_from_its_confidence_on(tmp_path: Path, label: str, confidence: float, kept: bool) -> None:
    device = Device(tmp_path, strategies=(ClassSettings(classes=("dent", "hole"), above=0.35),))
    assert device.chooser.lowest_score == 0.35
    record = device.offer(image(1), found(confidence, label))
    assert (record is not None) == kept
    if record:
        assert record.reason == "dent with confidence 0.40: one of dent, hole."


def test_the_first_that_wants_an_image_keeps_it_and_a_spent_budget_passes_it_on(tmp_path: Path) -> None:
    order = (ClassSettings(classes=("dent",), per_hour=1), UncertainSettings(per_hour=1))
    device = Device(tmp_path, strategies=order)
    records = [device.offer(image(number), found(0.3, "dent")) for number in range(3)]
    assert [record.strategy if record else "" for record in records] == ["class", "uncertain", ""]
    assert device.counts["class"].refused == {"budget": 2}
    assert (device.counts["uncertain"].wanted, device.counts["uncertain"].kept) == (2, 1)


def test_strategies_without_a_budget_share_what_the_random_sample_leaves(tmp_path: Path) -> None:
    device = Device(tmp_path, per_hour=8, strategies=(ClassSettings(classes=("dent",)), UncertainSettings()))
    kept = [device.offer(image(n), found(0.3, "dent" if n % 2 else "scratch")) for n in range(40)]
    assert sum(record is not None for record in kept) == 6


def test_the_random_sample_is_asked_first_and_stays_a_share_of_all(tmp_path: Path) -> None:
    sample = RandomSettings(share=0.2, per_hour=1e6)
    device = Device(tmp_path, strategies=(sample, UncertainSettings(per_hour=1e6)))
    records = [wanted for n in range(300) if (wanted := device.choose(image(n), found(0.3)))]
    chosen = {record.digest for record in records if record.strategy == "random"}
    assert len(records) == 300
    assert 30 < len(chosen) < 90
    assert chosen == {record.digest for record in records if int(record.digest[7:23], 16) / 2**64 < 0.2}


def test_nothing_stands_before_the_random_sample(tmp_path: Path) -> None:
    order = [{"kind": "uncertain"}, {"kind": "random", "share": 0.1}]
    with pytest.raises(LinesideError, match="the random sample is asked first"):
        made(tmp_path, {"capture": {"strategies": order}})


def test_a_drifting_source_keeps_images_with_its_reason() -> None:
    said = {"cam-1": "brightness is 3.1 away, 1.0 is usual."}
    drift = Drifting(DriftSettings(), lambda source: said.get(source, ""))
    assert drift.judge(Seen("sha256:0", "cam-1", (), ())) == said["cam-1"]
    assert drift.judge(Seen("sha256:0", "cam-2", (), ())) == ""


def test_an_interval_keeps_the_next_image_of_each_source(tmp_path: Path) -> None:
    device = Device(tmp_path, strategies=(IntervalSettings(seconds=60),))
    kept = []
    for number in range(10):
        kept.append(device.offer(image(number), source="a") is not None)
        device.wait(20)
    assert kept == [True, False, False, True, False, False, True, False, False, True]
    assert device.offer(image(99), source="b")


def test_configuration_names_strategies_with_budgets(tmp_path: Path) -> None:
    order = [{"kind": "class", "classes": ["dent"], "per_minute": 2}, {"kind": "nothing", "usual": 0.8, "per_day": 50}]
    capture = made(tmp_path, {"capture": {"strategies": order}}).configuration.capture
    assert capture == CaptureSettings(
        strategies=(ClassSettings(classes=("dent",), per_minute=2), NothingSettings(usual=0.8, per_day=50))
    )
