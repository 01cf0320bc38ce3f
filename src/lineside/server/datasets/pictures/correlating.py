"""How much the patches of pictures are alike: normalised correlation at every small shift.

J. P. Lewis, Fast Normalized Cross-Correlation, 1995. To compare 10,000 pictures without 50 million correlations, only
the nearest neighbours by a descriptor that does not change under shifts (the magnitudes of the low frequencies) are
compared, and an index finds those (`neighbours`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lineside.server.datasets.pictures.limits import HEIGHT, WIDTH
from lineside.server.datasets.pictures.neighbours import neighbours
from lineside.server.datasets.pictures.patches import Patch

_SHIFT = (7, 10)  # pixels a patch may be displaced, down and right
_PADDED = (56, 84)  # at least size plus shift, and quick to transform
_FREQUENCIES = 16
_NEIGHBOURS = 32
_AT_ONCE = 256  # pairs compared at once


def correlated(patches: Sequence[Patch], least: float) -> Iterator[tuple[int, int, float]]:
    """Neighbours that correlate by at least `least`: the lower position, the higher one, the correlation -1..1; in
    order of position."""
    likely = neighbours(_descriptors(patches), _NEIGHBOURS)
    for start in range(0, len(likely), _AT_ONCE):
        first, second = likely[start : start + _AT_ONCE].T
        scores = correlations(patches, first, second)
        for at in np.nonzero(scores >= least)[0]:
            yield int(first[at]), int(second[at]), float(scores[at])


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
