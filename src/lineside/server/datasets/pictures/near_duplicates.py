"""Near-duplicates: photographs of one and the same thing, slightly shifted and lit differently. Which pairs correlate,
`correlating` finds; which of them show the same thing is judged here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lineside.server.datasets.pictures.patches import Patch

SAME = 0.56
"""Correlation from which two pictures show the same thing; between different tags of one line it stays under 0.5."""

_LARGEST = 0.4  # of all images one group of near-duplicates may hold before they are judged more strictly
_STRICTEST = 0.97


class Pair(NamedTuple):
    """Two pictures by position, `first < second`, and the best correlation found, -1..1."""

    first: int
    second: int
    score: float


def pairs(patches: Sequence[Patch], least: float = SAME) -> list[Pair]:
    """All pairs of near-duplicates that correlate by at least `least`, in order of position.

    `patches` are read a few at a time, more than once each; they need not all lie in memory.
    """
    if len(patches) < 2:
        return []
    from lineside.server.datasets.pictures.correlating import correlated

    return [Pair(*pair) for pair in correlated(patches, least)]


def judge(count: int, found: Sequence[Pair]) -> tuple[float, list[int]]:
    """From which correlation two of `count` pictures are the same thing, and the groups that come of it (see `groups`).

    Pictures of one line may all look alike. When one group would hold more than 40 % of them, the pairs that show the
    same thing are told from those that only show the same line by where their correlations divide best in two
    (N. Otsu, A Threshold Selection Method from Gray-Level Histograms, 1979), again and again if need be.
    """
    level, roots = SAME, groups(count, found)
    while max(Counter(roots).values(), default=0) > max(1, _LARGEST * count) and level < _STRICTEST:
        level = min(_STRICTEST, max(level + 0.01, _divide([pair.score for pair in found if pair.score >= level])))
        roots = groups(count, found, level)
    return level, roots


def groups(count: int, found: Sequence[Pair], least: float = SAME) -> list[int]:
    """For each of `count` pictures the lowest position among those it is linked with, over any number of links."""
    root = list(range(count))

    def of(position: int) -> int:
        while root[position] != position:
            root[position] = root[root[position]]
            position = root[position]
        return position

    for first, second, score in found:
        a, b = of(first), of(second)
        if score >= least and a != b:
            root[max(a, b)] = min(a, b)
    return [of(position) for position in range(count)]


def _divide(scores: Sequence[float]) -> float:
    """The value that parts some scores into two classes with most variance between them."""
    import numpy as np

    counts, edges = np.histogram(scores, bins=100)
    middles = (edges[:-1] + edges[1:]) / 2
    below, sums = counts.cumsum(), (counts * middles).cumsum()
    above = below[-1] - below
    between = (sums * below[-1] - sums[-1] * below) ** 2 / np.maximum(below * above, 1)
    best = np.nonzero(between >= between.max() * (1 - 1e-9))[0]  # a gap between the classes: its middle
    return float((edges[best[0] + 1] + edges[best[-1] + 1]) / 2)
