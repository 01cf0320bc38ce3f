"""SSD with its boxes decoded in the graph: two outputs, in any order.

scores float32 [1, N, 1 + C]: softmax over the background (first) and the C classes.
boxes float32 [1, N, 4]: x1, y1, x2, y2 as shares 0..1 of the input's width and height. N is the number of priors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lineside.contract.model import Signature
from lineside.runtime.heads import Candidates, Shape


class SsdHead:
    """Takes the best class but the background; where C is 3, both outputs look alike and scores come first."""

    def __init__(self, signature: Signature) -> None:
        self.wanted: tuple[Shape, ...] = ((1, None, 1 + len(signature.labels)), (1, None, 4))
        self._size = np.array([signature.input_width, signature.input_height] * 2, np.float32)

    def candidates(self, outputs: list[NDArray[np.float32]], score_threshold: float) -> Candidates:
        """Every prior whose best class scores at least `score_threshold`."""
        scores, boxes = outputs[0][0, :, 1:], outputs[1][0]
        finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores).all(axis=1)
        good = (scores.max(axis=1) >= np.float32(score_threshold)) & finite
        scores, boxes = scores[good], boxes[good]
        classes = scores.argmax(axis=1)
        return Candidates(boxes * self._size, scores[np.arange(len(scores)), classes], classes)
