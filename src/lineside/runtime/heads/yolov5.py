"""YOLOv5 as Ultralytics exports it: one output float32 [1, 3 N, 5 + C], decoded.

A row is cx, cy, w, h in pixels of the input, objectness 0..1, C class scores 0..1; score = objectness * class. There
are three rows (one an anchor) for each of the N grid cells over strides 8, 16 and 32.
Source: the ONNX export of YOLOv5's `Detect` head (layout only; this is our own code).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lineside.contract.model import Signature
from lineside.runtime.heads import Candidates, corners, locations

_ANCHORS = 3  # a grid cell


class Yolov5Head:
    """Reads only the rows that can reach the threshold: objectness bounds the score from above."""

    def __init__(self, signature: Signature) -> None:
        self.wanted = ((1, _ANCHORS * locations(signature), 5 + len(signature.labels)),)

    def candidates(self, outputs: list[NDArray[np.float32]], score_threshold: float) -> Candidates:
        """Every row whose objectness times best class is at least `score_threshold`."""
        output = outputs[0][0]
        rows = output[output[:, 4] >= np.float32(score_threshold)]
        classes = rows[:, 5:].argmax(axis=1)
        scores = rows[:, 4] * rows[np.arange(len(rows)), 5 + classes]
        good = (scores >= np.float32(score_threshold)) & np.isfinite(rows).all(axis=1)
        return Candidates(corners(rows[good, :4]), scores[good], classes[good])
