"""Classification: one output float32 [1, C] of probabilities 0..1, softmax in the graph.

The answer is one detection of the likeliest class whose box is the whole picture, so that results, captures, gates and
evaluation see what they see of a detector.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lineside.contract.model import Signature
from lineside.runtime.heads import Candidates


class ClassifyHead:
    """Boxes are the whole input; cut to the picture, they are the whole picture."""

    def __init__(self, signature: Signature) -> None:
        self.wanted = ((1, len(signature.labels)),)
        self._whole = np.array([[0, 0, signature.input_width, signature.input_height]], np.float32)

    def candidates(self, outputs: list[NDArray[np.float32]], score_threshold: float) -> Candidates:
        """The likeliest class if it has at least `score_threshold`; nothing when a value is not finite."""
        (row,) = outputs[0]
        best = int(row.argmax())
        sure = bool(np.isfinite(row).all()) and row[best] >= np.float32(score_threshold)
        count = int(sure)
        return Candidates(self._whole[:count], row[[best]][:count], np.array([best], np.intp)[:count])
