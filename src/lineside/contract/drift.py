"""Drift: what a device sees and says, as sketches of numbers that say nothing of any single image. Pure.

A *sketch* is a histogram with fixed bins and two moments: as small for a million frames as for ten, and two of them
merge by adding. A *window* is what a device tells of some minutes; a *baseline* what a model version saw on its own
test images. How far they are apart: `drift_distance`. What is usual on a device, hour by hour: `drift_usual`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping

import msgspec

DRIFT_SCHEMA = "lineside.drift/1"
_BEGINNING = b'{"schema":"lineside.drift/'
MOST_CLASSES = 100
"""Classes that a window tells of; what was found less often is counted under `other`."""
OTHER = "other"
MOST_WINDOWS = 100
"""The largest `n` of *k of n*."""


class Quantity(msgspec.Struct, frozen=True, kw_only=True):
    """One number that is looked at. Means and spreads of a `log` quantity are of its logarithm to the base 2, so that
    they are in doublings. `least` is the smallest spread that counts: what varies less is as steady as it gets."""

    edges: tuple[float, ...]
    unit: str
    least: float
    log: bool = False
    picture: bool = False  # of the picture alone, whatever the model says of it

    def scaled(self, value: float) -> float:
        """The number that means and spreads are of."""
        return math.log2(max(value, self.edges[1] / 2)) if self.log else value


def _linear(start: float, stop: float, bins: int) -> tuple[float, ...]:
    return tuple(start + (stop - start) * i / bins for i in range(bins + 1))


def _doubling(first: int, last: int, parts: int = 1) -> tuple[float, ...]:
    return (0.0, *(2.0 ** (i / parts) for i in range(first * parts, last * parts + 1)))


QUANTITIES: dict[str, Quantity] = {
    "brightness": Quantity(edges=_linear(0, 256, 32), unit="levels of 0..255", least=4.0, picture=True),
    "contrast": Quantity(edges=_linear(0, 128, 32), unit="levels of 0..255", least=2.0, picture=True),
    "sharpness": Quantity(edges=_doubling(-3, 15), unit="doublings", least=0.25, log=True, picture=True),
    "warmth": Quantity(edges=_linear(-128, 128, 32), unit="levels of red over blue", least=3.0, picture=True),
    "tint": Quantity(edges=_linear(-128, 128, 32), unit="levels of green over both", least=3.0, picture=True),
    "detections": Quantity(edges=_linear(0, 32, 32), unit="in an image", least=0.25),
    "confidence": Quantity(edges=_linear(0, 1, 20), unit="of a detection", least=0.03),
    "box_area": Quantity(edges=_doubling(-16, 0), unit="doublings of the image's share", least=0.25, log=True),
    "place_x": Quantity(edges=_linear(0, 1, 20), unit="of the image's width", least=0.03),
    "place_y": Quantity(edges=_linear(0, 1, 20), unit="of the image's height", least=0.03),
    "latency": Quantity(edges=_doubling(-1, 14, 2), unit="doublings", least=0.25, log=True),
}
"""brightness: mean of luma; contrast: its standard deviation; sharpness: mean square of the steps between neighbouring
pixels; warmth: mean red less mean blue; tint: mean green less the mean of both; detections: found in an image;
confidence, box_area (share of the image), place_x, place_y (centre): of each detection; latency: ms of a decision."""


class Sketch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A histogram: `counts[i]` values fell in [edges[i], edges[i+1]); values outside lie in the first or last bin.
    `mean` and `m2` (the sum of squared differences from it) are exact, and of the scaled values of its quantity.
    No `edges` are those of `QUANTITIES`; no `mean` is a sketch of an older version, which is compared with nothing."""

    edges: tuple[float, ...] = ()
    counts: tuple[int, ...]
    mean: float | None = None
    m2: float = 0.0

    @property
    def count(self) -> int:
        """How many values."""
        return sum(self.counts)

    @property
    def spread(self) -> float:
        """Their standard deviation; 0 of fewer than two."""
        count = self.count
        return math.sqrt(max(0.0, self.m2) / count) if count > 1 else 0.0

    def merged(self, other: Sketch) -> Sketch:
        """Both together. Raises ValueError when the bins differ."""
        if self.edges != other.edges or len(self.counts) != len(other.counts):
            raise ValueError("sketches with different edges cannot be merged")
        counts = tuple(a + b for a, b in zip(self.counts, other.counts, strict=True))
        if self.mean is None or other.mean is None:
            return Sketch(edges=self.edges, counts=counts)
        ours, theirs = self.count, other.count
        total = max(1, ours + theirs)
        apart = other.mean - self.mean
        mean = self.mean + apart * theirs / total
        return Sketch(
            edges=self.edges, counts=counts, mean=mean, m2=self.m2 + other.m2 + apart * apart * ours * theirs / total
        )


def edges_of(name: str, sketch: Sketch) -> tuple[float, ...]:
    """The edges of a sketch's bins; none for a quantity that is not in `QUANTITIES` and brings none."""
    return sketch.edges or (QUANTITIES[name].edges if name in QUANTITIES else ())


class Tally:
    """Makes the sketch of one quantity, value by value. Not for two threads."""

    def __init__(self, name: str, sketch: Sketch | None = None) -> None:
        """Goes on from a sketch, if one is given."""
        self._quantity = QUANTITIES[name]
        self._inner = self._quantity.edges[1:-1]
        self._counts = list(sketch.counts) if sketch else [0] * (len(self._inner) + 1)
        self._count = sum(self._counts)
        self._mean = (sketch.mean or 0.0) if sketch else 0.0
        self._m2 = sketch.m2 if sketch else 0.0

    def add(self, value: float) -> None:
        """One more; what is no finite number is left out."""
        if not math.isfinite(value):
            return
        self._counts[bisect_right(self._inner, value)] += 1
        self._count += 1
        scaled = self._quantity.scaled(value)
        apart = scaled - self._mean
        self._mean += apart / self._count
        self._m2 += apart * (scaled - self._mean)

    def sketch(self) -> Sketch:
        """Of all values so far."""
        return Sketch(counts=tuple(self._counts), mean=round(self._mean, 6), m2=round(self._m2, 6))


def sketch_of(name: str, values: Iterable[float]) -> Sketch:
    """The sketch of some values of a quantity. Raises KeyError for one that is not in `QUANTITIES`."""
    tally = Tally(name)
    for value in values:
        tally.add(value)
    return tally.sketch()


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """What a model saw on its own test images: one sketch a quantity, and the share of each class. Version 1 measured
    sharpness in another way, and has no moments."""

    schema: str = "lineside.baseline/1"
    images: int
    sketches: dict[str, Sketch]
    classes: dict[str, float] = {}


BASELINE_SCHEMA = "lineside.baseline/2"
BASELINE_FILE = "baseline.json"
"""The file in a model's component that holds its `Baseline`."""


class DriftWindow(msgspec.Struct, frozen=True, kw_only=True):
    """What a device saw and said in some minutes. One device tells of a model, a source and a beginning once: a message
    that comes twice is one window. `looked` frames were measured as pictures; every one of `frames` was decided.
    There, a quantity counts when it is far in `k` of its last `n` windows."""

    schema: str = DRIFT_SCHEMA
    device: str
    component: str = ""  # whose process it was
    source: str = ""  # of several sources, its name
    model: str  # name, without version
    version: int = 0
    digest: str  # of the model file that decided
    began_at: str  # RFC 3339 in UTC
    seconds: float
    frames: int
    looked: int = 0
    sketches: dict[str, Sketch]
    classes: dict[str, int] = {}
    k: int = 2
    n: int = 3

    @property
    def key(self) -> tuple[str, str, str, str, int, str, str]:
        """What tells it from any other window. Two versions of a model may be one file with another threshold."""
        return self.device, self.component, self.source, self.model, self.version, self.digest, self.began_at


def is_drift(payload: bytes) -> bool:
    """Whether a message is a window and no result or telemetry: each is written with its schema first."""
    return payload.startswith(_BEGINNING)


def merged(one: DriftWindow, other: DriftWindow) -> DriftWindow:
    """Both as if they had been one, as those of a group's devices are: named by the first, begun with the earlier."""
    sketches = dict(one.sketches)
    for name, sketch in other.sketches.items():
        sketches[name] = sketches[name].merged(sketch) if name in sketches else sketch
    classes = {name: one.classes.get(name, 0) + other.classes.get(name, 0) for name in one.classes | other.classes}
    return msgspec.structs.replace(
        one,
        began_at=min(one.began_at, other.began_at),
        seconds=max(one.seconds, other.seconds),
        frames=one.frames + other.frames,
        looked=one.looked + other.looked,
        sketches=sketches,
        classes=few(classes),
    )


def few(classes: Mapping[str, int]) -> dict[str, int]:
    """The most frequent classes by name; the rest under `other`."""
    if len(classes) <= MOST_CLASSES:
        return dict(sorted(classes.items()))
    ordered = sorted((one for one in classes.items() if one[0] != OTHER), key=lambda one: (-one[1], one[0]))
    kept = dict(sorted(ordered[: MOST_CLASSES - 1]))
    return {**kept, OTHER: sum(classes.values()) - sum(kept.values())}
