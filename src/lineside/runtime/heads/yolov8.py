"""YOLOv8 and YOLO11 as Ultralytics exports them: one output float32 [1, 4 + C, N], decoded, a column a location.

A column is cx, cy, w, h in pixels of the input, then C class scores 0..1. N is the number of grid cells over strides 8,
16 and 32. Source: the ONNX export of Ultralytics' `Detect` head (layout only; this is our own code).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lineside.contract.model import Signature
from lineside.runtime.heads import Candidates, corners, locations
from lineside.runtime.heads.columns import finite, place_of_highest


class Yolov8Head:
    """Reads columns; there is no objectness, the best class is the score."""

    def __init__(self, signature: Signature) -> None:
        self.wanted = ((1, 4 + len(signature.labels), locations(signature)),)

    def candidates(self, outputs: list[NDArray[np.float32]], score_threshold: float) -> Candidates:
        """Every location whose best class scores at least `score_threshold`."""
        columns = outputs[0][0]
        rows = finite(columns[:, columns[4:].max(axis=0) >= np.float32(score_threshold)].T)
        classes = place_of_highest(rows[:, 4:])
        return Candidates(corners(rows[:, :4]), rows[np.arange(len(rows)), 4 + classes], classes)
