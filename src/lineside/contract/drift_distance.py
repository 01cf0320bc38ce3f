"""How far a window is from what is usual, in numbers with a meaning; and when that counts. Pure.

    shift = (mean of the window - usual mean at this hour) / spread      in standard deviations of the baseline's values
    apart = the largest difference of the two cumulative shares (Kolmogorov-Smirnov): 0 the same, 1 nothing in common

The shift decides, because a person can picture it and because its chance error is known: 1/sqrt(values) of one
standard deviation, where the values are independent. `apart` is told beside it: it sees changes of shape that leave the
mean where it is. It was preferred to the population stability index because it is bounded, needs no smoothing of empty
bins, and does not grow with the number of bins. A class is a quantity, too, named `class:NAME`: 1 for its detections, 0
for all others.

A window is *far* when a shift is beyond its limit; drift is *held* when k of the last n windows are far on one side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from lineside.contract.drift import OTHER, QUANTITIES, DriftWindow, Sketch

ENOUGH = 20
"""Values of a quantity from which a window tells of it."""
MARGIN, CHANCE = 0.15, 1.0
"""Beyond what is usual, a limit lies by so many spreads, and by at least so many chance errors of the window's mean."""
NEW_CLASS = 0.3
"""The limit, in spreads, for a class that was never found before: 3 % of the detections."""
LEAST_OF_CLASS = 0.1
"""The smallest spread of a class's share."""

HOURS = 24
_CLASS = "class:"


class Distance(msgspec.Struct, frozen=True, kw_only=True):
    """How far one quantity of a window is from what is usual."""

    shift: float
    limit: float  # of the shift's size, on its side
    apart: float | None = None  # None for a class
    count: int  # values in the window

    @property
    def far(self) -> bool:
        """Whether it counts."""
        return abs(self.shift) > self.limit

    @property
    def side(self) -> int:
        """1 far above, -1 far below, else 0."""
        return (1 if self.shift > 0 else -1) if self.far else 0


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """What is usual of one quantity: its values' spread, and by hour of the day (UTC) the mean, and how many spreads
    below and above it whole windows lie without anything being wrong."""

    spread: float
    centre: tuple[float, ...]
    below: tuple[float, ...]
    above: tuple[float, ...]
    sketch: Sketch | None = None  # of all values together; None for a class


class Usual(msgspec.Struct, frozen=True, kw_only=True):
    """What is usual for a model: of its own test images (`field` is false), or as one device has seen it."""

    schema: str = "lineside.usual/1"
    digest: str  # of the model file
    field: bool = False
    since: str = ""  # the first window that it is made of
    until: str = ""
    windows: int = 0
    levels: dict[str, Level]


class Point(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a window tells of a quantity."""

    mean: float
    spread: float
    count: int


def points_of(window: DriftWindow) -> dict[str, Point]:
    """Every quantity of which a window has enough values."""
    points = {
        name: Point(mean=round(sketch.mean, 4), spread=round(sketch.spread, 4), count=sketch.count)
        for name, sketch in window.sketches.items()
        if name in QUANTITIES and sketch.mean is not None and sketch.count >= ENOUGH
    }
    found = sum(window.classes.values())
    if found >= ENOUGH:
        for label, count in window.classes.items():
            if label != OTHER:
                share = count / found
                spread = round(math.sqrt(share * (1 - share)), 4)
                points[_CLASS + label] = Point(mean=round(share, 4), spread=spread, count=found)
    return points


def hour_of(began_at: str) -> int:
    """The hour of the day in UTC of a moment in RFC 3339 that ends in Z or +00:00."""
    return int(began_at[11:13])


def distance(window: DriftWindow, usual: Usual) -> dict[str, Distance]:
    """How far a window is, by quantity; a quantity with few values, or of which nothing is usual, is left out."""
    points, hour = points_of(window), hour_of(window.began_at)
    found = sum(window.classes.values())
    told = {}
    for name, level in usual.levels.items():
        point = points.get(name)
        if point is None and name.startswith(_CLASS) and found >= ENOUGH:
            point = Point(mean=0.0, spread=0.0, count=found)  # a class of which there was none
        if point is not None:
            told[name] = _distance(point, level, hour, window.sketches.get(name))
    if usual.field or any(name.startswith(_CLASS) for name in usual.levels):
        for name in points.keys() - usual.levels.keys():
            if name.startswith(_CLASS):
                told[name] = _new(points[name])
    return told


def _distance(point: Point, level: Level, hour: int, sketch: Sketch | None) -> Distance:
    shift = (point.mean - level.centre[hour]) / level.spread
    reach = level.above[hour] if shift > 0 else level.below[hour]
    return Distance(
        shift=round(shift, 4),
        limit=round(reach + chance(point.count), 4),
        apart=None if sketch is None or level.sketch is None else apart(sketch, level.sketch),
        count=point.count,
    )


def _new(point: Point) -> Distance:
    return Distance(
        shift=round(point.mean / LEAST_OF_CLASS, 4),
        limit=round(NEW_CLASS + chance(point.count), 4),
        count=point.count,
    )


def chance(count: int) -> float:
    """By how much a limit lies beyond what is usual, for a window with so many values."""
    return max(MARGIN, CHANCE / math.sqrt(count))


def apart(one: Sketch, other: Sketch) -> float | None:
    """The largest difference of the shares below any bin's edge, 0..1; None without values, or with other bins."""
    ours, theirs = one.count, other.count
    if not ours or not theirs or one.edges != other.edges or len(one.counts) != len(other.counts):
        return None
    most = below = above = 0.0
    for a, b in zip(one.counts, other.counts, strict=True):
        below += a / ours
        above += b / theirs
        most = max(most, abs(below - above))
    return round(min(1.0, most), 4)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Which quantities were far, on one side, in `k` of the last `n` windows that told of them. Grows by `after`."""

    k: int = 2
    n: int = 3
    recent: dict[str, tuple[int, ...]] = {}  # by quantity, the newest side last

    def after(self, told: Mapping[str, Distance]) -> Held:
        """With one more window."""
        recent = dict(self.recent)
        for name, one in told.items():
            recent[name] = (*recent.get(name, ()), one.side)[-self.n :]
        return msgspec.structs.replace(self, recent=recent)

    @property
    def sides(self) -> dict[str, int]:
        """The quantities that are held: 1 for those above what is usual, -1 for those below."""
        found = {}
        for name, sides in self.recent.items():
            for side in (1, -1):
                if sides.count(side) >= self.k:
                    found[name] = side
        return found
