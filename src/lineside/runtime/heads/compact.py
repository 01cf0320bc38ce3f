"""The compact detector: one output float32 [1, N, 4 + C], decoded in the graph.

A row is x1, y1, x2, y2 in pixels of the letterboxed input, then C class scores 0..1. N is the number of grid cells over
strides 8, 16 and 32.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lineside.contract.model import Signature
from lineside.runtime.heads import Candidates, locations
from lineside.runtime.heads.columns import finite, highest, place_of_highest


class CompactHead:
    """Reads boxes and scores as they are."""

    def __init__(self, signature: Signature) -> None:
        self.wanted = ((1, locations(signature), 4 + len(signature.labels)),)

    def candidates(self, outputs: list[NDArray[np.float32]], score_threshold: float) -> Candidates:
        """Every location whose best class scores at least `score_threshold`."""
        rows = outputs[0][0]
        rows = finite(rows[highest(rows[:, 4:]) >= np.float32(score_threshold)])
        classes = place_of_highest(rows[:, 4:])
        return Candidates(rows[:, :4], rows[np.arange(len(rows)), 4 + classes], classes)
