"""Which boxes were found on one picture: IoU 0.5 or more, same class, the most confident detection first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lineside.contract.dataset import Box
from lineside.contract.rectangles import iou
from lineside.contract.result import Detection

_FOUND = 0.5  # IoU


class Wrong(NamedTuple):
    """Places of boxes that nobody found, and of detections that found nothing."""

    missed: tuple[int, ...]
    false_alarms: tuple[int, ...]


def wrong(boxes: Sequence[Box], detections: Sequence[Detection]) -> Wrong:
    """What is wrong on one picture. A box is found once; a second detection of it is a false alarm."""
    free = set(range(len(boxes)))
    alarms = []
    for place in sorted(range(len(detections)), key=lambda place: -detections[place].confidence):
        one = detections[place]
        same = [box for box in sorted(free) if boxes[box].label == one.label]
        nearest = max(same, key=lambda box: iou(boxes[box], one), default=None)
        if nearest is None or iou(boxes[nearest], one) < _FOUND:
            alarms.append(place)
        else:
            free.remove(nearest)
    return Wrong(tuple(sorted(free)), tuple(sorted(alarms)))
