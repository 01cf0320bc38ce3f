"""What reviews come to, in numbers: matches, intervals that hold what they promise, and sums that add up."""

from __future__ import annotations

import random

import pytest

from lineside.contract.dataset import Box
from lineside.contract.field_accuracy import (
    ENOUGH_OBJECTS,
    Sums,
    accuracy,
    added,
    class_accuracy,
    count,
    precision,
    recall,
    share,
)
from lineside.contract.result import Detection


def box(x: float, label: str = "dent") -> Box:
    return Box(label=label, x=x, y=0, width=10, height=10)


def found(x: float, label: str = "dent", confidence: float = 0.9) -> Detection:
    return Detection(label=label, class_index=0, confidence=confidence, x=x, y=0, width=10, height=10)


def test_boxes_that_overlap_by_half_are_one_object_once() -> None:
    assert count([box(0)], [found(3)]) == {"dent": (1, 1, 1)}
    assert count([box(0)], [found(4)]) == {"dent": (1, 1, 0)}  # IoU 6/14
    assert count([box(0)], [found(0), found(1)]) == {"dent": (1, 2, 1)}
    assert count([box(0)], [found(0, "scratch")]) == {"dent": (1, 0, 0), "scratch": (0, 1, 0)}
    assert count([box(0), box(2)], [found(1, confidence=0.4), found(2)]) == {"dent": (2, 2, 2)}
    assert count([], []) == {}
    assert count([box(0), box(0)], [found(0)]) == {"dent": (2, 1, 1)}  # equal labels are two objects


def test_numbers_of_known_counts() -> None:
    sums = Sums()
    for _ in range(50):
        sums.add(1, 1, 1)
    for _ in range(50):
        sums.add(1, 0, 0)
    assert recall(sums).value == 0.5
    assert precision(sums).value == 1.0
    assert accuracy(sums).value == pytest.approx(2 / 3)
    assert (recall(sums).low, recall(sums).high) == (pytest.approx(0.404, abs=0.003), pytest.approx(0.596, abs=0.003))
    assert precision(sums).low == pytest.approx(0.929, abs=0.001)  # of 50 right ones: not certain either
    assert recall(Sums()) is None
    assert share(0, 0) is None


def test_a_class_with_few_objects_has_no_number() -> None:
    sums = Sums()
    for _ in range(ENOUGH_OBJECTS - 1):
        sums.add(1, 1, 1)
    few = class_accuracy("dent", sums)
    assert (few.labelled, few.accuracy) == (ENOUGH_OBJECTS - 1, None)
    sums.add(0, 1, 0)
    assert class_accuracy("dent", sums).precision.value == pytest.approx(0.9)


def test_sums_of_devices_add_up_to_those_of_their_group() -> None:
    chance = random.Random(1)
    one, other, both = Sums(), Sums(), Sums()
    for number in range(40):
        labelled, more = chance.randrange(4), chance.randrange(3)
        matched = chance.randrange(labelled + 1)
        (one if number % 3 else other).add(labelled, matched + more, matched)
        both.add(labelled, matched + more, matched)
    assert added([{"dent": one}, {"dent": other}]) == {"dent": both}


def test_intervals_hold_the_truth_as_often_as_they_say_when_boxes_fail_together() -> None:
    """Pictures with 1 to 6 objects, of which in a third of the pictures hardly any is found. A plain interval of boxes
    holds the truth in some 80 % of cases."""
    chance, held, plain, runs = random.Random(7), 0, 0, 400
    truth = (2 / 3) * 0.95 + (1 / 3) * 0.1
    for _ in range(runs):
        sums = Sums()
        for _ in range(80):
            objects, rate = chance.randint(1, 6), 0.1 if chance.random() < 1 / 3 else 0.95
            matched = sum(chance.random() < rate for _ in range(objects))
            sums.add(objects, matched, matched)
        found, flat = recall(sums), share(sums.matched, sums.labelled)
        held += found.low <= truth <= found.high
        plain += flat.low <= truth <= flat.high
    assert held / runs >= 0.92
    assert plain / runs < 0.85
