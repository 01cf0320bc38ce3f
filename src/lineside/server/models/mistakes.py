"""Which labelled boxes of a picture nobody found, and which detections are of nothing: for people's eyes on pages.

Scores come from evaluations; this is the plain rule behind them, at one threshold: same class, IoU of 0.5 or more,
the surest detection first, each box found once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lineside.contract.dataset import Box
from lineside.contract.rectangles import iou
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
