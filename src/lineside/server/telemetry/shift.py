"""How far one distribution has shifted from another: the population stability index. Pure.

    PSI = sum over bins of (p - q) * ln(p / q)      p: share now, q: share in the baseline

Both are smoothed by half a count a bin (Jeffreys), so that an empty bin is a rare one and never an infinite index. As
is usual: under 0.1 nothing to speak of, 0.1 to 0.25 look, over 0.25 it is another distribution. Chance alone makes
about (bins - 1) * (1/n + 1/m) of n and m counts, which is why a shift of few counts is not told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

ENOUGH = 200
"""Counts on each side from which a shift is told: with ten bins chance makes less than 0.1 of them."""

_HALF = 0.5


def psi(now: Sequence[float], baseline: Sequence[float]) -> float:
    """The index of two histograms with the same bins; 0 when they are equal. Raises ValueError when the bins differ."""
    if len(now) != len(baseline) or not now:
        raise ValueError(f"{len(now)} and {len(baseline)} bins")
    p, q = _shares(now), _shares(baseline)
    return sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True))


def psi_of_classes(now: Mapping[str, float], baseline: Mapping[str, float]) -> float:
    """The index of two counts by name; a name that one of them lacks is an empty bin there."""
    names = sorted(now.keys() | baseline.keys())
    return psi([now.get(name, 0) for name in names], [baseline.get(name, 0) for name in names])


def _shares(counts: Sequence[float]) -> list[float]:
    total = sum(counts) + _HALF * len(counts)
    return [(count + _HALF) / total for count in counts]
