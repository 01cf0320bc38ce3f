"""Whether two people say the same of a picture."""

from __future__ import annotations

from collections.abc import Sequence

from lineside.contract.dataset import Box
from lineside.contract.rectangles import iou


def agree(one: Sequence[Box], other: Sequence[Box], least: float) -> bool:
    """As many boxes, and each has one of the same class in the other answer that it overlaps by at least `least` of
    their union; the pairs that overlap most are matched first."""
    if len(one) != len(other):
        return False
    pairs = sorted(
        ((iou(a, b), i, j) for i, a in enumerate(one) for j, b in enumerate(other) if a.label == b.label),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    mine, theirs = set(range(len(one))), set(range(len(other)))
    for both, i, j in pairs:
        if both >= least and i in mine and j in theirs:
            mine.remove(i)
            theirs.remove(j)
    return not mine
