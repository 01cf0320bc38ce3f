"""Weighted average precision is what pycocotools computes on pictures that are there several times."""

from __future__ import annotations

import contextlib
import io

import msgspec
import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lineside.contract.dataset import ImageRecord
from lineside.contract.result import Detection
from lineside.pipeline.evaluation.boxes import wrong
from lineside.pipeline.evaluation.intervals import draws, estimate
from lineside.pipeline.evaluation.matching import match
from lineside.pipeline.evaluation.precision import averages
from lineside.pipeline.metrics import Detections, answers, score, truth
from tests.pipeline.evaluation.made_up import CLASSES, SIDE, made_up


def repeated(
    images: list[ImageRecord], found: Detections, times: np.ndarray
) -> tuple[list[ImageRecord], dict[str, object]]:
    """Each picture as often as it was drawn, every copy a picture of its own."""
    copies, answered = [], {}
    for image, count in zip(images, times, strict=True):
        for copy in range(count):
            name = f"{image.digest}-{copy}"
            copies.append(msgspec.structs.replace(image, digest=name))
            answered[name] = found[image.digest]
    return copies, answered


@pytest.mark.parametrize("good", [0.9, 0.5, 0.1])
def test_a_drawing_scores_what_pycocotools_says_of_the_drawn_pictures(good: float) -> None:
    images, found = made_up(30, 1, good=good)
    weights = draws(len(images), 12)
    table = averages(match(images, CLASSES, found)["all"], weights)
    map50, map_ = table.overall()
    for row, times in enumerate(weights):
        copies, answered = repeated(images, found, times)
        expected = score(copies, CLASSES, answered)  # type: ignore[arg-type]
        assert map50[row] == pytest.approx(expected.map50, abs=1e-9)
        assert map_[row] == pytest.approx(expected.map, abs=1e-9)
        for label, value in expected.per_class.items():
            assert table.map[row, CLASSES.index(label)] == pytest.approx(value, abs=1e-9)


def test_sizes_are_those_of_pycocotools() -> None:
    """At 640 pixels the areas are COCO's own."""
    images, found = made_up(40, 2)
    category = {label: number for number, label in enumerate(CLASSES, 1)}
    with contextlib.redirect_stdout(io.StringIO()):
        ground = COCO()
        ground.dataset = truth(images, category)
        ground.createIndex()
        evaluation = COCOeval(ground, ground.loadRes(answers(images, category, found)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    matches = match(images, CLASSES, found)
    ones = np.ones((1, len(images)), np.int64)
    ours = [averages(matches[area], ones).overall()[1][0] for area in ("all", "small", "medium", "large")]
    assert ours == pytest.approx([evaluation.stats[0], *evaluation.stats[3:6]], abs=1e-9)


def test_sizes_do_not_depend_on_how_large_a_picture_is() -> None:
    images, found = made_up(20, 3)
    grown = [
        msgspec.structs.replace(
            image, width=4 * SIDE, height=4 * SIDE, boxes=tuple(_times(box, 4.0) for box in image.boxes)
        )
        for image in images
    ]
    seen = {digest: [_times(one, 4.0) for one in all_] for digest, all_ in found.items()}
    ones = np.ones((1, len(images)), np.int64)
    for area in ("small", "medium", "large"):
        before = averages(match(images, CLASSES, found)[area], ones).map
        assert averages(match(grown, CLASSES, seen)[area], ones).map == pytest.approx(before, nan_ok=True)


def _times(box, factor):  # type: ignore[no-untyped-def]
    sides = {name: getattr(box, name) * factor for name in ("x", "y", "width", "height")}
    return msgspec.structs.replace(box, **sides)


def test_a_slice_of_the_pictures_scores_as_if_there_were_no_others() -> None:
    images, found = made_up(24, 4)
    members = np.array([20, 3, 7, 11])
    matches = [one.only(members) for one in match(images, CLASSES, found)["all"]]
    expected = score([images[place] for place in members], CLASSES, found)
    assert averages(matches, np.ones((1, 4), np.int64)).overall()[1][0] == pytest.approx(expected.map)


def test_pictures_without_boxes_or_answers_have_no_value() -> None:
    images, _ = made_up(6, 5)
    empty = [msgspec.structs.replace(image, boxes=()) for image in images]
    table = averages(match(empty, CLASSES, {})["all"], draws(6, 3))
    assert np.isnan(table.map).all()
    assert np.isnan(table.overall()[0]).all()
    assert averages(match([], CLASSES, {})["all"], draws(0, 3)).map.shape == (4, 3)


def test_the_interval_holds_the_value_and_narrows_with_more_pictures() -> None:
    widths = []
    for count in (20, 320):
        images, found = made_up(count, 6)
        values = averages(match(images, CLASSES, found)["all"], draws(count)).overall()[1]
        told = estimate(values, count)
        assert told.low is not None
        assert told.high is not None
        assert told.low < told.value < told.high
        widths.append(told.high - told.low)
    assert widths[1] < widths[0] / 2


def test_too_few_pictures_have_no_interval() -> None:
    images, found = made_up(4, 7)
    values = averages(match(images, CLASSES, found)["all"], draws(4)).overall()[1]
    told = estimate(values, 4)
    assert (told.low, told.high) == (None, None)
    assert told.value > 0


def test_the_same_pictures_are_drawn_again() -> None:
    assert (draws(9) == draws(9)).all()
    assert (draws(9).sum(axis=1) == 9).all()


def test_the_interval_holds_what_many_more_pictures_would_score() -> None:
    """Forty pictures of six hundred, forty times over: the score of all lies within most of the intervals. Plain
    percentiles of drawings, which flatter twice, hold it less often."""
    images, found = made_up(600, 9, good=0.8)
    sure = {image.digest: surer(image, found[image.digest]) for image in images}
    matches = match(images, CLASSES, sure)["all"]
    all_of_them = averages(matches, np.ones((1, len(images)), np.int64)).overall()[1][0]
    random, weights = np.random.default_rng(0), draws(40, 120)
    held = plain = 0
    for _ in range(40):
        members = random.choice(len(images), 40, replace=False)
        values = averages([one.only(members) for one in matches], weights).overall()[1]
        told = estimate(values, 40)
        assert told.low is not None
        assert told.high is not None
        held += told.low <= all_of_them <= told.high
        low, high = np.percentile(values[1:], (2.5, 97.5))
        plain += low <= all_of_them <= high
    assert held >= 36
    assert held > plain


def surer(image: ImageRecord, detections: list[Detection]) -> list[Detection]:
    """The same with confidences that tell right from wrong, mostly."""
    false = wrong(image.boxes, detections).false_alarms
    return [
        msgspec.structs.replace(one, confidence=0.6 * one.confidence + (0.0 if place in false else 0.4))
        for place, one in enumerate(detections)
    ]


def test_drawings_that_all_agree_leave_no_room() -> None:
    told = estimate(np.ones(101), 40)
    assert (told.value, told.low, told.high) == (1.0, 1.0, 1.0)
