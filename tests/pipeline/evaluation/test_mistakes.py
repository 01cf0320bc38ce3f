"""The pictures people should look at."""

from __future__ import annotations

import numpy as np

from lineside.contract.dataset import Box, ImageRecord, Split
from lineside.contract.result import Detection
from lineside.pipeline.evaluation.against import Rival, compare
from lineside.pipeline.evaluation.boxes import wrong
from lineside.pipeline.evaluation.mistakes import disagreements, worst_false_alarms, worst_misses
from tests.pipeline.evaluation.made_up import CLASSES, answers, made_up


def box(x: float, label: str = "scratch", side: float = 10) -> Box:
    return Box(label=label, x=x, y=0, width=side, height=side)


def found(x: float, confidence: float = 0.9, label: str = "scratch") -> Detection:
    return Detection(label=label, class_index=0, confidence=confidence, x=x, y=0, width=10, height=10)


def picture(name: str, *boxes: Box) -> ImageRecord:
    return ImageRecord(digest=name, file_name=f"{name}.png", width=200, height=100, split=Split.TEST, boxes=boxes)


def test_a_box_is_found_once_by_the_most_confident_detection_of_its_class() -> None:
    boxes = [box(0), box(50), box(100, "dent")]
    detections = [found(1, 0.5), found(0, 0.9), found(100, 0.8), found(52, 0.7)]
    assert wrong(boxes, detections) == ((2,), (0, 2))


def test_an_overlap_of_half_is_enough() -> None:
    """Moved by a third of its width, IoU is 2/4; by more it is less."""
    assert wrong(
        [box(0, side=9)], [Detection(label="scratch", class_index=0, confidence=1, x=3, y=0, width=9, height=9)]
    ) == ((), ())
    assert wrong([box(0)], [found(4)]) == ((0,), (0,))


def test_the_worst_misses_come_first() -> None:
    images = [
        picture("one", box(0)),
        picture("two", box(0), box(50)),
        picture("none", box(0)),
        picture("large", box(0, side=30)),
    ]
    shown = {"one": [], "two": [], "none": [found(0)], "large": []}
    misses = worst_misses(images, shown)
    assert [(one.image, one.missed) for one in misses] == [("two", (0, 1)), ("large", (0,)), ("one", (0,))]
    assert misses[0].reason == "2 of 2 boxes not found"


def test_the_surest_false_alarms_come_first() -> None:
    images = [picture("low"), picture("high", box(0)), picture("right", box(0))]
    shown = {"low": [found(0, 0.4)], "high": [found(0, 0.95), found(60, 0.8)], "right": [found(0)]}
    alarms = worst_false_alarms(images, shown)
    assert [(one.image, one.false_alarms) for one in alarms] == [("high", (1,)), ("low", (0,))]
    assert alarms[0].reason == "nothing is there, with a confidence of 0.80"


def test_what_the_candidate_lost_comes_before_what_it_won() -> None:
    images = [picture("won", box(0)), picture("lost", box(0)), picture("same", box(0)), picture("noisy")]
    champion = {"won": [], "lost": [found(0)], "same": [found(0)], "noisy": []}
    candidate = {"won": [found(0)], "lost": [], "same": [found(1)], "noisy": [found(50)]}
    told = disagreements(images, candidate, champion)
    assert [(one.image, one.reason) for one in told] == [
        ("lost", "1 found by the champion only"),
        ("noisy", "1 false alarm more"),
        ("won", "1 found by the candidate only"),
    ]


def test_a_paired_difference_is_known_better_than_either_score() -> None:
    """Both rivals find the same, but the candidate misses each fourth dent more: the interval excludes nought."""
    images, theirs = made_up(80, 11, good=0.9)
    ours = {
        digest: [one for n, one in enumerate(all_) if one.label != "dent" or n % 4] for digest, all_ in theirs.items()
    }
    told = compare(
        images, CLASSES, _rival(ours), _rival(theirs), label="tags:1", digest="d", side="test", resamples=200
    )
    assert told is not None
    deltas = {one.label: one for one in told.classes}
    assert deltas["scratch"].difference.value == deltas["rust"].difference.value == 0
    dent = deltas["dent"].difference
    assert dent.high is not None
    assert dent.value < dent.high < 0
    assert (
        told.map.value == round(told.candidate_map - told.champion_map, 6)
        or abs(told.map.value - told.candidate_map + told.champion_map) < 2e-6
    )
    assert told.disagreements


def test_only_classes_that_both_know_are_compared() -> None:
    images, found_ = made_up(30, 12)
    random = np.random.default_rng(0)
    old = {image.digest: answers([b for b in image.boxes if b.label != "rust"], random, 0.9) for image in images}
    champion = Rival(labels=("scratch", "dent", "paint"), found=old, shown=old)
    told = compare(images, CLASSES, _rival(found_), champion, label="t:1", digest="d", side="test", resamples=20)
    assert told is not None
    assert [one.label for one in told.classes] == ["scratch", "dent"]
    assert (told.only_candidate, told.only_champion) == (("rust",), ("paint",))
    assert not any(b.label == "rust" for one in told.disagreements for b in one.truth)


def test_rivals_without_a_common_class_are_not_compared() -> None:
    images, found_ = made_up(6, 13)
    other = Rival(labels=("paint",), found=found_, shown=found_)
    assert compare(images, CLASSES, _rival(found_), other, label="t:1", digest="d", side="test") is None


def _rival(found_: dict[str, list[Detection]]) -> Rival:
    return Rival(labels=CLASSES, found=found_, shown=found_)
