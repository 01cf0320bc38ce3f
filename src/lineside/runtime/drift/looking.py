"""What a decoded picture looks like, in five numbers, for a small share of what a decision costs.

A few lines across the picture and a few down it are measured, nothing is scaled: of a camera's whole picture they say
the same as all of its pixels, and light, colour and focus are what they are wherever one looks.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lineside.runtime.decode import Picture

_LINES = 16  # across, and as many down
_SHADES = np.arange(256.0)
_SQUARES = _SHADES * _SHADES


class Look(NamedTuple):
    """Facts of one picture, by the names of `contract.drift.QUANTITIES`."""

    brightness: float
    contrast: float
    sharpness: float
    warmth: float
    tint: float


def look(picture: Picture) -> Look:
    """Measures the part of the decoded picture that shows the original."""
    across, down = _lines(picture, down=False), _lines(picture, down=True)
    red, green, blue = (_mean(band) for band in np.reshape(across.histogram(), (3, 256)))
    grey = across.convert("L")
    shades = np.asarray(grey.histogram())
    brightness = _mean(shades)
    steps = _steps(grey, 1) + _steps(down.convert("L"), 0)
    count = grey.height * (grey.width - 1) + down.width * (down.height - 1)
    return Look(
        brightness=brightness,
        contrast=math.sqrt(max(0.0, float(shades @ _SQUARES) / float(shades.sum()) - brightness * brightness)),
        sharpness=steps / count if count else 0.0,
        warmth=red - blue,
        tint=green - (red + blue) / 2,
    )


def _lines(picture: Picture, *, down: bool) -> Image.Image:
    """Some lines of the picture, across it or down it. No pixel is mixed with another."""
    left, top, right, bottom = picture.region
    width, height = max(1, round(right - left)), max(1, round(bottom - top))
    size = (min(_LINES, width), height) if down else (width, min(_LINES, height))
    return picture.image.resize(size, Image.Resampling.NEAREST, box=picture.region)


def _mean(counts: NDArray[Any]) -> float:
    return float(counts @ _SHADES) / float(counts.sum())


def _steps(grey: Image.Image, axis: int) -> float:
    """The sum of the squared steps between neighbours."""
    steps = np.diff(np.asarray(grey, np.float32), axis=axis)
    return float(np.vdot(steps, steps))


class Allowance:
    """Lets looks take a share of the time that decisions take, and no more. Not for two threads."""

    SHARE = 0.005

    def __init__(self, share: float = SHARE) -> None:
        self._share, self._saved, self._cost = share, 0.0, 0.0

    def earns(self, decision_ms: float) -> bool:
        """A decision was made: whether there is time for a look now."""
        self._saved = min(self._saved + decision_ms * self._share, 2 * max(self._cost, decision_ms * self._share))
        return self._saved >= self._cost

    def spent(self, look_ms: float) -> None:
        """What a look has cost."""
        self._saved -= look_ms
        self._cost = look_ms if not self._cost else self._cost + (min(look_ms, 10 * self._cost) - self._cost) / 8
