"""Non-maximum suppression: of boxes of one class that overlap much, the most confident stays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
    order = np.argsort(-scores, kind="stable")
    left, top, right, bottom = (np.ascontiguousarray(boxes[order, side]) for side in range(4))
    area = (right - left) * (bottom - top)
    kind = classes[order]
    kept: list[np.intp] = []
    while order.size and len(kept) < limit:
        kept.append(order[0])
        if order.size == 1:
            break
        width = np.minimum(right[0], right[1:]) - np.maximum(left[0], left[1:])
        height = np.minimum(bottom[0], bottom[1:]) - np.maximum(top[0], top[1:])
        overlap = np.maximum(width, np.float32(0.0)) * np.maximum(height, np.float32(0.0))
        suppressed = overlap > np.float32(iou_threshold) * (area[0] + area[1:] - overlap)
        suppressed &= kind[1:] == kind[0]
        stay = np.flatnonzero(~suppressed) + 1
        order, kind, area = order[stay], kind[stay], area[stay]
        left, top, right, bottom = left[stay], top[stay], right[stay], bottom[stay]
    return np.array(kept, np.intp)
