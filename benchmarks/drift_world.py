"""Healthy devices for the drift benchmark: lines with daylight, weather and changing products, as windows.

Means of windows are drawn, not frames: that of n values lies around what product and light make of it with an error of
spread * sqrt(2 / n), which is that of values that come in pairs. Everything is in units of the quantity; `UNIT` is how
much one frame differs from the next.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from lineside.contract.drift import BASELINE_SCHEMA, Baseline, DriftWindow, Sketch

DAY = 144
"""Windows of ten minutes."""
START = datetime(2026, 1, 1, tzinfo=UTC)
DIGEST = "sha256:" + "0" * 64
CLASSES = ("good", "scratch", "hole")
TOGETHER = 2.0  # values that say the same: frames of one part, detections of one frame

Floats = NDArray[np.float64]


class Kind(NamedTuple):
    """How one quantity behaves, by units: how much daylight (its most) adds, and how much products differ."""

    middle: float
    unit: float
    light: float
    product: float
    each: float  # values a frame


KINDS: dict[str, Kind] = {
    "brightness": Kind(110.0, 8.0, 1.0, 0.5, 0.5),
    "contrast": Kind(45.0, 4.0, 0.4, 0.5, 0.5),
    "sharpness": Kind(6.0, 0.5, 0.2, 0.3, 0.5),
    "warmth": Kind(5.0, 4.0, -0.6, 0.3, 0.5),
    "tint": Kind(0.0, 3.0, 0.2, 0.3, 0.5),
    "detections": Kind(1.5, 0.9, 0.0, 0.15, 1.0),
    "confidence": Kind(0.8, 0.08, -0.08, 0.12, 1.5),
    "box_area": Kind(-5.0, 0.6, 0.0, 0.3, 1.5),
    "place_x": Kind(0.5, 0.12, 0.0, 0.1, 1.5),
    "place_y": Kind(0.5, 0.12, 0.0, 0.1, 1.5),
    "latency": Kind(4.3, 0.2, 0.0, 0.0, 1.0),
}


class Hardness(NamedTuple):
    """How much goes on at healthy devices, as factors."""

    light: float = 1.0
    products: float = 1.0
    overcast: float = 0.6  # the daylight of the darkest day, as a share of the brightest's
    frames: tuple[int, int] = (200, 2000)  # in a window: each device lies somewhere between


class Device:
    """A healthy device over some days: `means` [windows] of each quantity, and `shares` [windows, classes]."""

    def __init__(self, days: int, hard: Hardness, drawn: np.random.Generator) -> None:
        self.windows, self._drawn = days * DAY, drawn
        low, high = np.log(hard.frames)
        self.frames = int(np.exp(drawn.uniform(low, high)))
        products = int(drawn.integers(3, 7))
        runs = self._runs(products)
        light = drawn.uniform(0.3, 3.0) * hard.light * _daylight(days, hard.overcast, drawn)
        self.means = {
            name: kind.middle
            + kind.unit * (drawn.normal(0, kind.product * hard.products, products)[runs] + kind.light * light)
            for name, kind in KINDS.items()
        }
        self.shares: Floats = drawn.dirichlet((8.0, 2.0, 1.0), products)[runs]
        self._days = days

    def baseline(self) -> Baseline:
        """Of 500 test images, which were taken on this line over some days."""
        sketches = {}
        for name, kind in KINDS.items():
            if name != "latency":
                spread = float(np.hypot(kind.unit, self.means[name].std()))
                mean = float(self.means[name].mean() + self._drawn.normal(0, spread / np.sqrt(500)))
                sketches[name] = Sketch(counts=(500,), mean=mean, m2=500 * spread * spread)
        shares = self.shares.mean(0)
        return Baseline(
            schema=BASELINE_SCHEMA,
            images=500,
            sketches=sketches,
            classes={label: float(share) for label, share in zip(CLASSES, shares, strict=True)},
        )

    def window(self, number: int, shifts: dict[str, float] | None = None) -> DriftWindow:
        """What the device tells of a window; `shifts` are added to means, in the quantity's own unit."""
        sketches = {}
        for name, kind in KINDS.items():
            count = max(1, int(self.frames * kind.each))
            error = kind.unit * np.sqrt(TOGETHER / count)
            mean = float(self.means[name][number]) + float(self._drawn.normal(0, error)) + (shifts or {}).get(name, 0.0)
            sketches[name] = Sketch(counts=(count,), mean=mean, m2=count * kind.unit * kind.unit)
        found = int(self.frames * KINDS["confidence"].each / TOGETHER)
        counts = self._drawn.multinomial(found, self.shares[number]) * int(TOGETHER)
        return DriftWindow(
            device="line",
            model="parts",
            digest=DIGEST,
            began_at=(START + timedelta(minutes=10 * number)).isoformat(),
            seconds=600,
            frames=self.frames,
            sketches=sketches,
            classes={label: int(one) for label, one in zip(CLASSES, counts, strict=True)},
        )

    def _runs(self, products: int) -> NDArray[np.int64]:
        """Which product runs in each window: each for one to ten hours, in any order."""
        found = np.empty(self.windows, np.int64)
        at = 0
        while at < self.windows:
            until = at + int(self._drawn.integers(6, 61))
            found[at:until] = self._drawn.integers(products)
            at = until
        return found


def new_class(window: DriftWindow, label: str, share: float) -> DriftWindow:
    """The window with so large a share of its detections being of a class that was never there."""
    found = sum(window.classes.values())
    return msgspec.structs.replace(window, classes={**window.classes, label: int(found * share / (1 - share))})


def _daylight(days: int, overcast: float, drawn: np.random.Generator) -> Floats:
    """0..1 by window: the sun between six and six, days of different weather, clouds that pass within the hour."""
    hours = (np.arange(days * DAY) % DAY) / 6
    sun = np.clip(np.sin((hours - 6) / 12 * np.pi), 0, None)
    weather = np.repeat(drawn.uniform(overcast, 1.0, days), DAY)
    clouds = np.empty(days * DAY)
    steps, now = drawn.normal(0, 0.05, days * DAY), 0.0
    for at, step in enumerate(steps):
        clouds[at] = now = 0.9 * now + step
    return np.clip(sun * weather * (1 + clouds), 0, None)
