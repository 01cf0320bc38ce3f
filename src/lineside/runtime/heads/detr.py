"""RT-DETR without its post-processing: two outputs, in any order.

logits float32 [1, Q, C]: one a class and query, score = sigmoid(logit); there is no background class.
boxes float32 [1, Q, 4]: cx, cy, w, h as shares 0..1 of the input's width and height. Q is the number of queries.
Each object has one query, so the signature's `iou_threshold` is 1: nothing is suppressed.
Source: RT-DETR (arXiv 2304.08069) as its models answer before `PostProcessor` (layout only; this is our own code).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lineside.contract.model import Signature
from lineside.runtime.heads import Candidates, Shape, corners

_STEEPEST = np.float32(80.0)  # exp of more overflows float32, and the score is 0 or 1 long before


class DetrHead:
    """Takes each query's best class; where C is 4, both outputs look alike and logits come first."""

    def __init__(self, signature: Signature) -> None:
        self.wanted: tuple[Shape, ...] = ((1, None, len(signature.labels)), (1, None, 4))
        self._size = np.array([signature.input_width, signature.input_height] * 2, np.float32)

    def candidates(self, outputs: list[NDArray[np.float32]], score_threshold: float) -> Candidates:
        """Every query whose best class scores at least `score_threshold`."""
        logits, boxes = outputs[0][0], outputs[1][0]
        finite = np.isfinite(logits).all(axis=1) & np.isfinite(boxes).all(axis=1)
        logits, boxes = logits[finite], boxes[finite]
        scores = 1 / (1 + np.exp(-logits.max(axis=1, initial=-_STEEPEST).clip(-_STEEPEST, _STEEPEST)))
        good = scores >= np.float32(score_threshold)
        return Candidates(corners(boxes[good]) * self._size, scores[good], logits[good].argmax(axis=1))
