"""Problems of the labels of one image: boxes that are tiny, doubled, outside, or contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from lineside.contract.dataset import Box, ImageRecord

TINY_PIXELS = 3.0
TINY_SHARE = 0.005  # of the image's longer side
DOUBLED = 0.9  # intersection over union from which two boxes of one class are one object
CONTRADICTING = 0.8  # … and two boxes of different classes mark one object
_ROUNDING = 0.5  # pixels


def problems(image: ImageRecord) -> Iterator[tuple[str, str]]:
    """Each problem's code, and where it is."""
    smallest = max(TINY_PIXELS, TINY_SHARE * max(image.width, image.height))
    for box in image.boxes:
        if min(box.width, box.height) < smallest:
            yield "check.box_tiny", f"{_said(box)}: under {smallest:g} pixels"
        beyond = max(-box.x, -box.y, box.x + box.width - image.width, box.y + box.height - image.height)
        if beyond > _ROUNDING:
            yield "check.box_outside", f"{_said(box)}: {beyond:g} pixels over the edge"
    for one, other in combinations(image.boxes, 2):
        overlap = overlap_of(one, other)
        if one.label == other.label and overlap >= DOUBLED:
            yield "check.box_doubled", f"{_said(one)} and {_said(other)} overlap by {overlap:.2f}"
        elif one.label != other.label and overlap >= CONTRADICTING:
            yield "check.labels_contradict", f"{_said(one)} and {_said(other)} overlap by {overlap:.2f}"


def overlap_of(one: Box, other: Box) -> float:
    """Intersection over union, 0..1."""
    wide = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    high = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / (one.width * one.height + other.width * other.height - wide * high)


def _said(box: Box) -> str:
    return f"{box.label} at {box.x:g}, {box.y:g}, {box.width:g} x {box.height:g}"
