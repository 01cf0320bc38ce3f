"""Near-duplicates: photographs of one and the same thing, slightly shifted and lit differently.

The patches of two pictures are compared by normalised correlation at every small shift (J. P. Lewis, Fast Normalized
Cross-Correlation, 1995). To compare 10,000 pictures without 50 million correlations, only the nearest neighbours by a
descriptor that does not change under shifts (the magnitudes of the low frequencies) are compared, and an index finds
those (`neighbours`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lineside.server.datasets.neighbours import neighbours
from lineside.server.datasets.patches import HEIGHT, WIDTH, Patch

SAME = 0.56
"""Correlation from which two pictures show the same thing; between different tags of one line it stays under 0.5."""

_LARGEST = 0.4  # of all images one group of near-duplicates may hold before they are judged more strictly
_STRICTEST = 0.97
_SHIFT = (7, 10)  # pixels a patch may be displaced, down and right
_PADDED = (56, 84)  # at least size plus shift, and quick to transform
_FREQUENCIES = 16
_NEIGHBOURS = 32
_AT_ONCE = 256  # pairs compared at once


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
    descriptors = _descriptors(patches)
    likely = neighbours(descriptors, _NEIGHBOURS)
    found: list[Pair] = []
    for first, second in _blocks(likely):
        scores = correlations(patches, first, second)
        close = np.nonzero(scores >= least)[0]
        found.extend(Pair(int(first[at]), int(second[at]), float(scores[at])) for at in close)
    return found


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
    counts, edges = np.histogram(scores, bins=100)
    middles = (edges[:-1] + edges[1:]) / 2
    below, sums = counts.cumsum(), (counts * middles).cumsum()
    above = below[-1] - below
    between = (sums * below[-1] - sums[-1] * below) ** 2 / np.maximum(below * above, 1)
    best = np.nonzero(between >= between.max() * (1 - 1e-9))[0]  # a gap between the classes: its middle
    return float((edges[best[0] + 1] + edges[best[-1] + 1]) / 2)


def _blocks(likely: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    for start in range(0, len(likely), _AT_ONCE):
        yield likely[start : start + _AT_ONCE, 0], likely[start : start + _AT_ONCE, 1]


def _descriptors(patches: Sequence[Patch]) -> NDArray[np.float32]:
    """Unit vectors [n, 496] that change little when a patch is shifted."""
    window = np.outer(np.hanning(HEIGHT), np.hanning(WIDTH)).astype(np.float32)
    n = _FREQUENCIES
    table = np.empty((len(patches), n * n + n * (n - 1)), np.float32)
    for at in range(len(patches)):
        magnitude = np.log1p(np.abs(np.fft.rfft2(patches[at] * window)))
        table[at] = np.concatenate([magnitude[:n, :n], magnitude[1 - n :, :n]]).ravel()
    table -= table.mean(axis=0)
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
    return table


def correlations(patches: Sequence[Patch], first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.float32]:
    """The best correlation of each pair over all shifts, [pairs]."""
    used, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    one, other = places[: len(first)], places[len(first) :]
    stack = np.stack([np.asarray(patches[at], np.float32) for at in used.tolist()])
    spectra, energies = np.fft.rfft2(stack, s=_PADDED), _energies(stack)
    down, right = _SHIFT
    raw = np.fft.irfft2(spectra[one].conj() * spectra[other], s=_PADDED)
    raw = np.concatenate([raw[:, -down:], raw[:, : down + 1]], axis=1)
    raw = np.concatenate([raw[:, :, -right:], raw[:, :, : right + 1]], axis=2)
    norm = np.sqrt(energies[other] * energies[one, ::-1, ::-1])
    best: NDArray[np.float32] = (raw / np.maximum(norm, 1e-6)).reshape(len(first), -1).max(axis=1)
    return best


def _energies(stack: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sum of squares of the part that overlaps at each shift, [n, 2 * down + 1, 2 * right + 1]."""
    table = np.zeros((len(stack), HEIGHT + 1, WIDTH + 1))
    table[:, 1:, 1:] = np.square(stack, dtype=np.float64).cumsum(1).cumsum(2)
    down, right = (np.arange(-most, most + 1) for most in _SHIFT)
    top, bottom = (np.maximum(down, 0)[:, None], HEIGHT + np.minimum(down, 0)[:, None])
    left, end = np.maximum(right, 0), WIDTH + np.minimum(right, 0)
    area = table[:, bottom, end] - table[:, top, end] - table[:, bottom, left] + table[:, top, left]
    result: NDArray[np.float32] = area.astype(np.float32)
    return result
