"""Nearest neighbours among many vectors without comparing all with all: a forest of random trees.

Each tree halves the vectors at the median along the line through two of them, and each half again, until few are left
(after S. Dasgupta and Y. Freund, Random projection trees and low dimensional manifolds, 2008). Within such a leaf all
are compared. What one tree tears apart another keeps together. The work grows with n log n, also where all vectors are
alike: halves are halves whatever lies in them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Positions = NDArray[np.intp]

_TREES = 32
_LEAF = 256
_EXACT = 512  # so few are compared all with all
_ALIKE = 1e-6  # squared length below which two vectors give no direction


def neighbours(vectors: Vectors, wanted: int) -> Positions:
    """Pairs of positions `[pairs, 2]`, the lower first, sorted: each of the unit vectors [n, d] with those `wanted`
    others that are nearest to it, as far as the forest finds them. The same vectors give the same pairs."""
    count = len(vectors)
    if count < 2:
        return np.empty((0, 2), np.intp)
    best = _Best(count, wanted)
    if count <= _EXACT:
        best.compare(vectors, np.arange(count))
    else:
        random = np.random.default_rng(0)
        for _ in range(_TREES):
            for leaf in _leaves(vectors, random):
                best.compare(vectors, leaf)
    return best.pairs()


class _Best:
    """The nearest seen so far of each vector."""

    def __init__(self, count: int, wanted: int) -> None:
        self._others = np.full((count, wanted), -1, np.int64)
        self._likeness = np.full((count, wanted), -np.inf, np.float32)

    def compare(self, vectors: Vectors, members: Positions) -> None:
        """Compare some vectors with one another, and remember the nearest."""
        likeness = vectors[members] @ vectors[members].T
        np.fill_diagonal(likeness, -np.inf)
        known = self._others[members]
        place = np.searchsorted(members, known).clip(max=len(members) - 1)  # met in an earlier tree: count once
        rows, columns = np.nonzero(members[place] == known)
        likeness[rows, place[rows, columns]] = -np.inf
        others = np.concatenate([known, np.broadcast_to(members, likeness.shape)], axis=1)
        values = np.concatenate([self._likeness[members], likeness], axis=1)
        wanted = known.shape[1]
        order = np.argpartition(-values, wanted - 1, axis=1)[:, :wanted]
        self._others[members] = np.take_along_axis(others, order, axis=1)
        self._likeness[members] = np.take_along_axis(values, order, axis=1)

    def pairs(self) -> Positions:
        """Each pair once."""
        rows, columns = np.nonzero(self._likeness > -np.inf)
        others = self._others[rows, columns]
        count = len(self._others)
        keys = np.unique(np.minimum(rows, others) * count + np.maximum(rows, others))
        return np.stack([keys // count, keys % count], axis=1)


def _leaves(vectors: Vectors, random: np.random.Generator) -> Iterator[Positions]:
    """The leaves of one tree: every position in one of them, each leaf in ascending order."""
    parts = [random.permutation(len(vectors))]
    while parts:
        members = parts.pop()
        if len(members) <= _LEAF:
            yield np.sort(members)
            continue
        one, other = random.choice(members, 2, replace=False)
        direction = vectors[one] - vectors[other]
        if float(direction @ direction) < _ALIKE:
            direction = random.standard_normal(len(direction), np.float32)
        order = members[np.argsort(vectors[members] @ direction, kind="stable")]
        parts += [order[: len(order) // 2], order[len(order) // 2 :]]
