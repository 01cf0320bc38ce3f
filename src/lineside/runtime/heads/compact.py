"""The compact detector: one output float32 [1, N, 4 + C], decoded in the graph.

A row is x1, y1, x2, y2 in pixels of the letterboxed input, then C class scores 0..1. N is the number of grid cells over
strides 8, 16 and 32.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lineside.contract.model import Signature
from lineside.runtime.heads import Candidates, locations


class CompactHead:
    """Reads boxes and scores as they are."""

    def __init__(self, signature: Signature) -> None:
        self.wanted = ((1, locations(signature), 4 + len(signature.labels)),)

    def candidates(self, outputs: list[NDArray[np.float32]], score_threshold: float) -> Candidates:
        """Every location whose best class scores at least `score_threshold`."""
        rows = outputs[0][0]
        best = rows[:, 4:].max(axis=1)
        rows = rows[best >= np.float32(score_threshold)]
        rows = rows[np.isfinite(rows).all(axis=1)]
        classes = rows[:, 4:].argmax(axis=1)
        return Candidates(rows[:, :4], rows[np.arange(len(rows)), 4 + classes], classes)
