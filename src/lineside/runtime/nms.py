"""Non-maximum suppression: of boxes of one class that overlap much, the most confident stays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CHUNK = 128  # boxes compared with one another at once
_AHEAD = 8  # times `limit` boxes are looked at first; rarely are more needed


def nms(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    classes: NDArray[np.intp],
    iou_threshold: float,
    limit: int,
) -> NDArray[np.intp]:
    """Indices of the boxes that stay, most confident first, at most `limit`.

    `boxes` x1, y1, x2, y2 float32 [K, 4], `scores` float32 [K], `classes` int [K]. A box goes when its IoU with a
    kept, more confident box of its class is over `iou_threshold`. Equal scores keep their order. Since boxes are taken
    by confidence, stopping at `limit` gives exactly the first `limit` of the full answer.
    """
    ahead = _AHEAD * limit
    if 0 < ahead < len(scores) // 2:
        lowest = np.partition(scores, -ahead)[-ahead]
        first = np.flatnonzero(scores >= lowest)  # with all that equal it: the beginning of the whole order
        kept = first[_kept(boxes[first], scores[first], classes[first], iou_threshold, limit)]
        if len(kept) == limit:
            return kept
    return _kept(boxes, scores, classes, iou_threshold, limit)


def _kept(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    classes: NDArray[np.intp],
    iou_threshold: float,
    limit: int,
) -> NDArray[np.intp]:
    order = np.argsort(-scores, kind="stable")
    kept = order[:0]
    for start in range(0, len(order), _CHUNK):
        chunk = order[start : start + _CHUNK]
        gone: NDArray[np.bool_] = np.zeros(len(chunk), np.bool_)
        if len(kept):
            gone = np.any(_suppress(boxes, classes, kept, chunk, iou_threshold), axis=0)
        among = _suppress(boxes, classes, chunk, chunk, iou_threshold)
        stay = []
        for index in range(len(chunk)):
            if not gone[index]:
                stay.append(index)
                gone |= among[index]
        kept = np.concatenate([kept, chunk[stay]])
        if len(kept) >= limit:
            break
    return kept[:limit]


def _suppress(
    boxes: NDArray[np.float32],
    classes: NDArray[np.intp],
    strong: NDArray[np.intp],
    weak: NDArray[np.intp],
    iou_threshold: float,
) -> NDArray[np.bool_]:
    """Whether each of `strong` would suppress each of `weak` [len(strong), len(weak)]."""
    a, b = boxes[strong].T[:, :, None], boxes[weak].T[:, None]
    width = np.minimum(a[2], b[2])
    width -= np.maximum(a[0], b[0])
    height = np.minimum(a[3], b[3])
    height -= np.maximum(a[1], b[1])
    overlap = np.maximum(width, np.float32(0.0), out=width)
    overlap *= np.maximum(height, np.float32(0.0), out=height)
    union = _area(a) + _area(b) - overlap
    suppressed: NDArray[np.bool_] = overlap > np.float32(iou_threshold) * union
    suppressed &= classes[strong, None] == classes[None, weak]
    return suppressed


def _area(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    area: NDArray[np.float32] = (boxes[2] - boxes[0]) * (boxes[3] - boxes[1])
    return area
