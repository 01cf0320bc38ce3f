"""Near-duplicates: photographs of one and the same thing, slightly shifted and lit differently.

Each picture becomes a patch: its middle, small and grey, with light and contrast evened out. Two patches are compared
by normalised correlation at every small shift (J. P. Lewis, Fast Normalized Cross-Correlation, 1995). To compare
10,000 pictures without 50 million correlations, only the nearest neighbours by a descriptor that does not change under
shifts (the magnitudes of the low frequencies) are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HEIGHT, WIDTH = 48, 72
"""Size of a patch in pixels."""

SAME = 0.56
"""Correlation from which two pictures show the same thing; between different tags of one line it stays under 0.5."""

_MARGIN = 0.15  # of width and height cut off on each side: edges and fixtures are alike on all pictures of a line
_BLUR = 6  # pixels; what is larger than this is light, not surface
_NOISE = 4.0  # grey levels squared; weaker contrast than this is not stretched
_SHIFT = (7, 10)  # pixels a patch may be displaced, down and right
_PADDED = (56, 84)  # at least size plus shift, and quick to transform
_FREQUENCIES = 16
_NEIGHBOURS = 32
_ROWS = 512  # patches worked on at once

Patch = NDArray[np.float32]


class Pair(NamedTuple):
    """Two pictures by position, `first < second`, and the best correlation found, -1..1."""

    first: int
    second: int
    score: float


def patch(image: Image.Image) -> Patch:
    """The patch of a picture, float32 [48, 72]."""
    width, height = image.size
    left, top = int(width * _MARGIN), int(height * _MARGIN)
    grey = image.convert("F") if image.mode.startswith(("I", "F")) else image.convert("L")
    middle = grey.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, box=(left, top, width - left, height - top))
    values = np.asarray(middle, np.float64)
    if grey.mode == "F":
        values = 255 * (values - values.min()) / max(float(np.ptp(values)), 1e-9)
    detail = values - _blurred(values, _BLUR)
    even = detail / np.sqrt(_blurred(detail * detail, 2 * _BLUR) + _NOISE)
    result: Patch = (even - even.mean()).astype(np.float32)
    return result


def pairs(patches: Sequence[Patch], least: float = SAME) -> list[Pair]:
    """All pairs of near-duplicates that correlate by at least `least`, in order of position."""
    if len(patches) < 2:
        return []
    stack = np.stack(patches)
    parts = (np.fft.rfft2(stack[start : start + _ROWS], s=_PADDED) for start in range(0, len(stack), _ROWS))
    spectra = np.concatenate(list(parts))
    energies = np.stack([_energies(one) for one in stack])
    found: list[Pair] = []
    for first, others in _candidates(stack):
        scores = _correlations(spectra[first], spectra[others], energies[first], energies[others])
        found.extend(Pair(first, int(j), float(s)) for j, s in zip(others, scores, strict=True) if s >= least)
    return found


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


def _candidates(stack: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """For each position the later positions it should be compared with, ascending."""
    descriptors = _descriptors(stack)
    count = len(stack)
    near: list[set[int]] = [set() for _ in range(count)]
    for start in range(0, count, _ROWS):
        likeness = descriptors[start : start + _ROWS] @ descriptors.T
        wanted = min(_NEIGHBOURS + 1, count)  # each is its own nearest neighbour
        nearest = np.argpartition(-likeness, wanted - 1, axis=1)[:, :wanted]
        for row, columns in enumerate(nearest, start):
            for column in columns.tolist():
                near[min(row, column)].add(max(row, column))
    for first, others in enumerate(near):
        others.discard(first)
        if others:
            yield first, np.array(sorted(others), np.intp)


def _descriptors(stack: NDArray[np.float32]) -> NDArray[np.float32]:
    window = np.outer(np.hanning(HEIGHT), np.hanning(WIDTH)).astype(np.float32)
    n = _FREQUENCIES
    rows = []
    for one in stack:
        magnitude = np.log1p(np.abs(np.fft.rfft2(one * window)))
        rows.append(np.concatenate([magnitude[:n, :n], magnitude[1 - n :, :n]]).ravel())
    table = np.stack(rows)
    table = table - table.mean(axis=0)
    norms = np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
    result: NDArray[np.float32] = (table / norms).astype(np.float32)
    return result


def _correlations(one: Any, others: Any, energy: Any, energies: Any) -> NDArray[np.float64]:
    """The best correlation of one spectrum with each of the others over all shifts, [len(others)]."""
    down, right = _SHIFT
    raw = np.fft.irfft2(one.conj()[None] * others, s=_PADDED)
    raw = np.concatenate([raw[:, -down:], raw[:, : down + 1]], axis=1)
    raw = np.concatenate([raw[:, :, -right:], raw[:, :, : right + 1]], axis=2)
    norm = np.sqrt(energies * energy[None, ::-1, ::-1])
    best: NDArray[np.float64] = (raw / np.maximum(norm, 1e-6)).reshape(len(others), -1).max(axis=1)
    return best


def _energies(one: NDArray[np.float32]) -> NDArray[np.float64]:
    """The sum of squares of the part that overlaps at each shift, [2 * down + 1, 2 * right + 1]."""
    table = np.zeros((HEIGHT + 1, WIDTH + 1))
    table[1:, 1:] = np.square(one, dtype=np.float64).cumsum(0).cumsum(1)
    down, right = (np.arange(-most, most + 1) for most in _SHIFT)
    top, bottom = np.maximum(down, 0), HEIGHT + np.minimum(down, 0)
    left, end = np.maximum(right, 0), WIDTH + np.minimum(right, 0)
    area: NDArray[np.float64] = (
        table[np.ix_(bottom, end)] - table[np.ix_(top, end)] - table[np.ix_(bottom, left)] + table[np.ix_(top, left)]
    )
    return area


def _blurred(values: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """Two box blurs with edges repeated: nearly a Gaussian."""
    for _ in range(2):
        for axis in (0, 1):
            size = values.shape[axis]
            widths = [(radius + 1, radius) if at == axis else (0, 0) for at in (0, 1)]
            sums = np.pad(values, widths, mode="edge").cumsum(axis)
            upper = np.take(sums, np.arange(2 * radius + 1, 2 * radius + 1 + size), axis)
            values = (upper - np.take(sums, np.arange(size), axis)) / (2 * radius + 1)
    return values
