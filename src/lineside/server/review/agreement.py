"""Whether two people say the same of a picture."""

from __future__ import annotations

from collections.abc import Sequence

from lineside.contract.dataset import Box


def agree(one: Sequence[Box], other: Sequence[Box], least: float) -> bool:
    """As many boxes, and each has one of the same class in the other answer that it overlaps by at least `least` of
    their union; the pairs that overlap most are matched first."""
    if len(one) != len(other):
        return False
    pairs = sorted(
        ((overlap(a, b), i, j) for i, a in enumerate(one) for j, b in enumerate(other) if a.label == b.label),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    mine, theirs = set(range(len(one))), set(range(len(other)))
    for iou, i, j in pairs:
        if iou >= least and i in mine and j in theirs:
            mine.remove(i)
            theirs.remove(j)
    return not mine


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    wide = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    high = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if wide <= 0 or high <= 0:
        return 0.0
    both = wide * high
    return both / (one.width * one.height + other.width * other.height - both)
