"""Problems of the labels of one image: boxes that are tiny, doubled, outside, or contradict each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from lineside.contract.dataset import Box, ImageRecord
from lineside.contract.rectangles import iou

TINY_PIXELS = 3.0
TINY_SHARE = 0.005  # of the image's longer side
DOUBLED = 0.9  # intersection over union from which two boxes of one class are one object
CONTRADICTING = 0.8  # … and two boxes of different classes mark one object
_ROUNDING = 0.5  # pixels
_MOST_PAIRS = 1000  # told of one image


def problems(image: ImageRecord) -> Iterator[tuple[str, str]]:
    """Each problem's code, and where it is."""
    smallest = max(TINY_PIXELS, TINY_SHARE * max(image.width, image.height))
    for box in image.boxes:
        if min(box.width, box.height) < smallest:
            yield "check.box_tiny", f"{_said(box)}: under {smallest:g} pixels"
        beyond = max(-box.x, -box.y, box.x + box.width - image.width, box.y + box.height - image.height)
        if beyond > _ROUNDING:
            yield "check.box_outside", f"{_said(box)}: {beyond:g} pixels over the edge"
    yield from islice(_between(image.boxes), _MOST_PAIRS)


def _between(boxes: Sequence[Box]) -> Iterator[tuple[str, str]]:
    """Problems of two boxes."""
    for one, other in _near(boxes):
        overlap = iou(one, other)
        if one.label == other.label and overlap >= DOUBLED:
            yield "check.box_doubled", f"{_said(one)} and {_said(other)} overlap by {overlap:.2f}"
        elif one.label != other.label and overlap >= CONTRADICTING:
            yield "check.labels_contradict", f"{_said(one)} and {_said(other)} overlap by {overlap:.2f}"


def _near(boxes: Sequence[Box]) -> Iterator[tuple[Box, Box]]:
    """Pairs whose left edges are so close that they may overlap by `CONTRADICTING`; from left to right."""
    ordered = sorted(boxes, key=lambda box: box.x)
    for at, one in enumerate(ordered):
        reach, after = one.x + (1 - CONTRADICTING) * one.width + _ROUNDING, at + 1
        while after < len(ordered) and ordered[after].x <= reach:
            yield one, ordered[after]
            after += 1


def _said(box: Box) -> str:
    return f"{box.label} at {box.x:g}, {box.y:g}, {box.width:g} x {box.height:g}"
