"""Which labelled boxes of a picture nobody found, and which detections are of nothing: for people's eyes on pages.

Scores come from evaluations; this is the plain rule behind them, at one threshold: same class, IoU of 0.5 or more,
the surest detection first, each box found once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lineside.contract.dataset import Box
from lineside.contract.result import Detection

_ENOUGH = 0.5


class Mistakes(NamedTuple):
    """Places in the labelled boxes, and in the detections."""

    missed: tuple[int, ...]
    wrong: tuple[int, ...]


def mistakes(truth: Sequence[Box], found: Sequence[Detection]) -> Mistakes:
    """What is wrong on one picture."""
    left = set(range(len(truth)))
    wrong: list[int] = []
    for place in sorted(range(len(found)), key=lambda one: -found[one].confidence):
        one = found[place]
        fits = [(iou(truth[each], one), each) for each in left if truth[each].label == one.label]
        best = max(fits, default=(0.0, 0))
        if best[0] < _ENOUGH:
            wrong.append(place)
        else:
            left.remove(best[1])
    return Mistakes(tuple(sorted(left)), tuple(sorted(wrong)))


def iou(one: Box | Detection, other: Box | Detection) -> float:
    """Intersection over union of two rectangles, 0..1."""
    across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    both = max(0.0, across) * max(0.0, down)
    whole = one.width * one.height + other.width * other.height - both
    return both / whole if whole > 0 else 0.0
