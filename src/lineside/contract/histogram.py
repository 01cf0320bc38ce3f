"""Histograms with fixed steps, so that those of many devices and hours merge by adding. Pure.

Latency: 64 steps, each a factor of 2^(1/4) wide, from 0.5 ms on; what is faster lies in the first, what took 23 s or
more in the last. Confidence: ten equal steps from 0 to 1.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

LATENCY_STEPS = 64
CONFIDENCE_STEPS = 10
_FIRST_MS = 0.5
_A_DOUBLING = 4  # steps
_EDGES: tuple[float, ...] = (0.0, *(_FIRST_MS * 2.0 ** (step / _A_DOUBLING) for step in range(LATENCY_STEPS)))


def latency_step(ms: float) -> int:
    """The step a latency lies in; a negative one in the first, what is no number in the last."""
    return max(0, min(LATENCY_STEPS, bisect_right(_EDGES, ms)) - 1)


def lower_edge(step: int) -> float:
    """Where a step begins, in ms."""
    return _EDGES[step]


def confidence_step(confidence: float) -> int:
    """The step a confidence of 0..1 lies in; 1 belongs to the last."""
    return min(CONFIDENCE_STEPS - 1, int(confidence * CONFIDENCE_STEPS))


def quantile(counts: Sequence[int], share: float) -> float | None:
    """The latency in ms below which `share` of the values lie (nearest rank), None without values.

    Within its step the rank is placed evenly in the logarithm, so the answer is in the same step as the exact one.
    """
    total = sum(counts)
    if total == 0:
        return None
    rank, before = max(1, math.ceil(share * total)), 0
    for step, count in enumerate(counts):
        if before + count >= rank:
            return _within(step, (rank - before) / count)
        before += count
    return None


def _within(step: int, part: float) -> float:
    low, high = lower_edge(step), lower_edge(step + 1)
    return high * part if low == 0.0 else low * (high / low) ** part
