"""Whether an image nearly looks like one that was kept today.

A look is the picture made 16 by 16 cells of red, green and blue: 768 bytes. Two looks are held against each other after
the light was evened out (the mean brightness, and contrast within a third), by the cell that differs most: what is new
in one place counts, however little of the picture that is. Noise averages out within a cell.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lineside.contract.result import Detection
from lineside.runtime.captures.memory import Kept

SIDE = 16
_CELLS = SIDE * SIDE * 3
_GAIN = (0.75, 1.33)


def look_of(image: Image.Image) -> bytes:
    """The look of an RGB picture, 768 bytes."""
    factor = max(1, min(image.size) // (4 * SIDE))
    small = image.reduce(factor) if factor > 1 else image
    return small.resize((SIDE, SIDE), Image.Resampling.BOX).tobytes()


def facts_of(look: bytes) -> dict[str, float]:
    """Brightness and contrast of a picture, as far as its look has them: mean and standard deviation, 0..255."""
    if not look:
        return {}
    cells = np.frombuffer(look, np.uint8)
    return {"brightness": round(float(cells.mean()), 1), "contrast": round(float(cells.std()), 1)}


def found_of(detections: Iterable[Detection]) -> str:
    """What was found, in one line: two images on which it differs are not alike, however they look."""
    counts: dict[str, int] = {}
    for one in detections:
        counts[one.label] = counts.get(one.label, 0) + 1
    return " ".join(f"{count} {label}" for label, count in sorted(counts.items()))


def farthest(look: bytes, others: Sequence[bytes]) -> NDArray[np.float32]:
    """How far each of the others is from a look: the largest difference of a cell, in levels of 255."""
    mine = np.frombuffer(look, np.uint8).astype(np.float32)
    theirs = np.frombuffer(b"".join(others), np.uint8).reshape(len(others), _CELLS).astype(np.float32)
    mine -= mine.mean()
    theirs -= theirs.mean(axis=1, keepdims=True)
    power = np.maximum((theirs * theirs).sum(axis=1), 1e-6)
    gain = np.clip(theirs @ mine / power, *_GAIN).astype(np.float32)
    difference: NDArray[np.float32] = np.abs(mine - theirs * gain[:, None]).max(axis=1)
    return difference


class Album:
    """The looks of what was kept, of the last `seconds`; at most `most`."""

    def __init__(self, levels: float, seconds: float, most: int, kept: Iterable[Kept] = ()) -> None:
        self._levels, self._seconds = levels, seconds
        self._kept = deque((one for one in kept if len(one.look) == _CELLS), maxlen=max(1, most))

    def add(self, kept: Kept) -> None:
        """From now on nothing like it is kept."""
        if len(kept.look) == _CELLS:
            self._kept.append(kept)

    def forget(self, digest: str) -> None:
        """It was not kept after all."""
        for one in [one for one in self._kept if one.digest == digest]:
            self._kept.remove(one)

    def like(self, look: bytes, found: str, now: float) -> Kept | None:
        """One that was kept, looks nearly the same, and on which the same was found."""
        while self._kept and self._kept[0].at < now - self._seconds:
            self._kept.popleft()
        same = [one for one in self._kept if one.found == found]
        if not same:
            return None
        distances = farthest(look, [one.look for one in same])
        nearest = int(distances.argmin())
        return same[nearest] if distances[nearest] <= self._levels else None
