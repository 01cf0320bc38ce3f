"""YOLOX as Megvii publishes it: one output float32 [1, N, 5 + C], undecoded.

A row is x, y, w, h, objectness, C class scores, for the grid cells of strides 8, 16, 32 in this order, row by row:
centre = (xy + cell) * stride, size = exp(wh) * stride in pixels of the letterboxed input, score = objectness * class.
Source: YOLOX `yolo_head.py`, decode_outputs (Apache-2.0 project; this is our own code).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lineside.contract.model import Signature
from lineside.runtime.heads import Candidates, locations

STRIDES = (8, 16, 32)
_MAX_EXPONENT = np.float32(12.0)  # exp(12) * 32 is over five million pixels; more would only overflow


class YoloxHead:
    """Decodes only the rows that can reach the threshold: objectness bounds the score from above."""

    def __init__(self, signature: Signature) -> None:
        self.wanted = ((1, locations(signature, STRIDES), 5 + len(signature.labels)),)
        cells, strides = [], []
        for stride in STRIDES:
            rows, columns = -(-signature.input_height // stride), -(-signature.input_width // stride)
            y, x = np.mgrid[:rows, :columns]
            cells.append(np.stack([x.ravel(), y.ravel()], axis=1))
            strides.append(np.full((rows * columns, 1), stride))
        self._cells = np.concatenate(cells).astype(np.float32)
        self._strides = np.concatenate(strides).astype(np.float32)

    def candidates(self, outputs: list[NDArray[np.float32]], score_threshold: float) -> Candidates:
        """Every location whose best class scores at least `score_threshold`."""
        output = outputs[0][0]
        likely = np.flatnonzero(output[:, 4] >= np.float32(score_threshold))
        rows = output[likely]
        classes = rows[:, 5:].argmax(axis=1)
        scores = rows[:, 4] * rows[np.arange(len(rows)), 5 + classes]
        good = (scores >= np.float32(score_threshold)) & np.isfinite(rows).all(axis=1)
        likely, rows, classes, scores = likely[good], rows[good], classes[good], scores[good]
        strides = self._strides[likely]
        centres = (rows[:, :2] + self._cells[likely]) * strides
        halves = np.exp(np.minimum(rows[:, 2:4], _MAX_EXPONENT)) * strides * np.float32(0.5)
        return Candidates(np.concatenate([centres - halves, centres + halves], axis=1), scores, classes)
