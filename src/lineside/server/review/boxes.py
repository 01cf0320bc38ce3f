"""Boxes of reviews: what a model predicted, and what a person gave, held against the picture."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from lineside.contract.capture import CaptureRecord
from lineside.contract.dataset import Box, LabelKind, LabelSource
from lineside.contract.errors import LinesideError
from lineside.contract.review import ReviewBox

MOST_BOXES = 1000
"""Boxes that an answer may have."""

_LONGEST = 100  # characters of a class
_DECIMALS = 3
_SAME = 0.01  # pixels that a box may be off and still be the one that was predicted


def predicted(record: CaptureRecord, width: int, height: int) -> tuple[Box, ...]:
    """What the model found on a picture of this size, clipped to it, in its words and not reviewed."""
    result = record.result
    if result is None:
        return ()
    source = LabelSource(kind=LabelKind.MODEL, by=result.model, version=str(result.version))
    found = (_clipped(one.label, one.x, one.y, one.width, one.height, width, height) for one in result.detections)
    return tuple(msgspec.structs.replace(box, source=source) for box in found if box is not None)


def agreed(boxes: Iterable[Box]) -> tuple[Box, ...]:
    """Predicted boxes that a person has agreed with."""
    return tuple(
        msgspec.structs.replace(box, source=msgspec.structs.replace(box.source, reviewed=True)) if box.source else box
        for box in boxes
    )


def given(
    boxes: Sequence[ReviewBox], expected: Sequence[Box], width: int, height: int, drawn_by: LabelSource
) -> tuple[Box, ...]:
    """The boxes of an answer, clipped to the picture: those that were predicted exactly so stay the model's, reviewed;
    all others are `drawn_by`'s. Raises `review.boxes_refused`."""
    if len(boxes) > MOST_BOXES:
        raise LinesideError("review.boxes_refused", why=f"{len(boxes)} boxes; {MOST_BOXES} at most")
    found, left = [], list(agreed(expected))
    for number, one in enumerate(boxes, 1):
        box = _box(one, number, width, height)
        same = next((other for other in left if _same(box, other)), None)
        if same is not None:
            left.remove(same)
        found.append(same or msgspec.structs.replace(box, source=drawn_by))
    return tuple(found)


def _box(one: ReviewBox, number: int, width: int, height: int) -> Box:
    label = one.label.strip()
    if not label or len(label) > _LONGEST or not label.isprintable():
        raise LinesideError("review.boxes_refused", why=f"box {number} has no class of 1 to {_LONGEST} characters")
    edges = (one.x, one.y, one.width, one.height)
    box = _clipped(label, *edges, width, height) if all(map(math.isfinite, edges)) else None
    if box is None:
        why = f"box {number} has no area inside the picture of {width} x {height} pixels"
        raise LinesideError("review.boxes_refused", why=why)
    return box


def _clipped(label: str, x: float, y: float, wide: float, high: float, width: int, height: int) -> Box | None:
    left, top = round(max(x, 0.0), _DECIMALS), round(max(y, 0.0), _DECIMALS)
    right, bottom = round(min(x + wide, width), _DECIMALS), round(min(y + high, height), _DECIMALS)
    if right <= left or bottom <= top:
        return None
    size = round(right - left, _DECIMALS), round(bottom - top, _DECIMALS)
    return Box(label=label, x=left, y=top, width=size[0], height=size[1])


def _same(one: Box, other: Box) -> bool:
    edges = zip((one.x, one.y, one.width, one.height), (other.x, other.y, other.width, other.height), strict=True)
    return one.label == other.label and all(abs(a - b) <= _SAME for a, b in edges)
