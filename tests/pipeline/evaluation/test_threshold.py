"""The threshold that ships: what a miss costs decides it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lineside.contract.dataset import Box, ImageRecord, Split
from lineside.contract.gate import CostRule
from lineside.contract.result import Detection
from lineside.pipeline.evaluation.boxes import wrong
from lineside.pipeline.evaluation.threshold import choose_threshold
from tests.pipeline.evaluation.made_up import CLASSES, made_up


def one_picture(
    right: Sequence[float], false: Sequence[float], missed: int = 0
) -> tuple[list[ImageRecord], dict[str, list[Detection]]]:
    """A picture with a box for each of `right` (found with that confidence) and `missed`, and false alarms."""
    boxes = [Box(label="scratch", x=20.0 * n, y=0, width=10, height=10) for n in range(len(right) + missed)]
    seen = [(box.x, confidence) for box, confidence in zip(boxes, right, strict=False)]
    seen += [(20.0 * n, confidence) for n, confidence in enumerate(false, 100)]
    image = ImageRecord(
        digest="sha256:1", file_name="1.png", width=4000, height=100, split=Split.VAL, boxes=tuple(boxes)
    )
    detections = [
        Detection(label="scratch", class_index=0, confidence=c, x=x, y=0, width=10, height=10) for x, c in seen
    ]
    return [image], {image.digest: detections}


def chosen(right: Sequence[float], false: Sequence[float], missed_cost: float, missed: int = 0) -> float:
    images, found = one_picture(right, false, missed)
    threshold = choose_threshold(images, CLASSES, found, CostRule(missed=missed_cost), 0.25)
    assert threshold is not None
    return threshold.value


def test_it_lies_in_the_middle_between_what_is_there_and_what_is_not() -> None:
    assert chosen([0.9, 0.8], [0.2, 0.3], 1.0) == pytest.approx(0.55, abs=0.011)


def test_a_dear_miss_lowers_it_and_a_cheap_one_raises_it() -> None:
    """Two boxes at 0.9 and 0.3; three false alarms between them: worth it when a miss costs more than three."""
    right, false = [0.9, 0.3], [0.4, 0.5, 0.6]
    assert chosen(right, false, 4.0) <= 0.3
    assert chosen(right, false, 2.0) > 0.6


def test_its_cost_is_told_beside_that_of_the_present_one() -> None:
    images, found = one_picture([0.9, 0.3], [0.4, 0.5, 0.6], missed=1)
    threshold = choose_threshold(images, CLASSES, found, CostRule(missed=2.0), 0.25)
    assert threshold is not None
    assert (threshold.chosen.missed, threshold.chosen.false_alarms, threshold.chosen.cost) == (2, 0, 4.0)
    assert (threshold.before.threshold, threshold.before.missed, threshold.before.false_alarms) == (0.25, 1, 3)
    assert threshold.before.cost == 5.0
    assert (threshold.images, threshold.boxes, threshold.missed_cost) == (1, 3, 2.0)
    assert min(point.cost for point in threshold.curve) == threshold.chosen.cost


def test_without_a_cost_the_present_one_stays() -> None:
    images, found = one_picture([0.9], [0.4])
    threshold = choose_threshold(images, CLASSES, found, None, 0.25)
    assert threshold is not None
    assert threshold.value == 0.25
    assert threshold.chosen == threshold.before


def test_without_a_box_there_is_nothing_to_choose() -> None:
    images, found = one_picture([], [0.4])
    assert choose_threshold(images, CLASSES, found, CostRule(), 0.25) is None
    assert choose_threshold([], CLASSES, {}, CostRule(), 0.25) is None


def test_the_curve_counts_what_devices_would_show() -> None:
    """Each point of the curve is what matching the detections at or over its threshold picture by picture gives."""
    images, found = made_up(15, 8, split=Split.VAL)
    threshold = choose_threshold(images, CLASSES, found, CostRule(missed=3.0), 0.25)
    assert threshold is not None
    for point in threshold.curve[::15]:
        shown = {digest: [one for one in all_ if one.confidence >= point.threshold] for digest, all_ in found.items()}
        judged = [wrong(image.boxes, shown[image.digest]) for image in images]
        assert point.missed == sum(len(one.missed) for one in judged)
        assert point.false_alarms == sum(len(one.false_alarms) for one in judged)
