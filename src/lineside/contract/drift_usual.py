"""What is usual: of a model's own test images, until a device has a week of its own; then of that week. Pure.

From a week: each hour of the day has its own mean, as far as hours differ by more than chance (a quantity that depends
on the product and not on the hour has one mean for all, which is known far better). Then each day is held against the
other days; how far windows lay from their hour's mean, two of three in a row, is what is usual there. What light makes
of a noon is not taken for usual at midnight: an hour with less to and fro has narrower limits.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from lineside.contract.drift import QUANTITIES, Baseline, DriftWindow, Sketch
from lineside.contract.drift_distance import HOURS, LEAST_OF_CLASS, Level, Point, Usual, hour_of, points_of

OF_TESTS, OF_TEST_PICTURES = 1.0, 2.0
"""Limits, in spreads, against a model's own test images: of what it says, and of what pictures look like."""
DAYS = 7
"""Days that are made what is usual."""
DAYS_ENOUGH, WINDOWS_ENOUGH = 4, 100
"""Fewer are no week."""
GROW, GROW_PICTURE = 0.1, 0.4
"""How much wider limits are than what was seen, as a share of it."""

_NARROWEST = 0.25  # of the mean variance: no hour is taken for steadier
_SHARE = 0.02  # of the detections: a class that never had more is not followed


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A window as far as what is usual depends on it: a line of a file, some hundred bytes."""

    began_at: str
    points: dict[str, Point]


def seen(window: DriftWindow) -> Seen:
    """What is kept of a window."""
    return Seen(began_at=window.began_at, points=points_of(window))


def usual_of_tests(baseline: Baseline, digest: str) -> Usual:
    """What is usual until a device has seen more: the same at every hour."""
    levels = {}
    for name, sketch in baseline.sketches.items():
        quantity = QUANTITIES.get(name)
        if quantity is None or sketch.mean is None or sketch.count == 0:
            continue
        limit = OF_TEST_PICTURES if quantity.picture else OF_TESTS
        levels[name] = _flat(sketch.mean, max(sketch.spread, quantity.least), limit, sketch)
    for label, share in baseline.classes.items():
        spread = max(math.sqrt(share * (1 - share)), LEAST_OF_CLASS)
        levels["class:" + label] = _flat(share, spread, OF_TESTS, None)
    return Usual(digest=digest, levels=levels)


def _flat(mean: float, spread: float, limit: float, sketch: Sketch | None) -> Level:
    return Level(spread=spread, centre=(mean,) * HOURS, below=(limit,) * HOURS, above=(limit,) * HOURS, sketch=sketch)


def usual_of_field(digest: str, week: Iterable[Seen], sketches: dict[str, Sketch] | None = None) -> Usual | None:
    """What was usual in a device's first days; None while they are too few. `sketches`: of all windows together."""
    windows = sorted(week, key=lambda one: one.began_at)
    if len(windows) < WINDOWS_ENOUGH or len({one.began_at[:10] for one in windows}) < DAYS_ENOUGH:
        return None
    names = {name for window in windows for name in window.points}
    levels = {}
    for name in sorted(names):
        values = _values(name, windows)
        if _is_enough(name, values):
            levels[name] = _level(name, values, (sketches or {}).get(name))
    since, until = windows[0].began_at, windows[-1].began_at
    return Usual(digest=digest, field=True, since=since, until=until, windows=len(windows), levels=levels)


def _is_enough(name: str, values: Sequence[_Value]) -> bool:
    followed = name in QUANTITIES or max(one.mean for one in values) >= _SHARE
    return followed and len(values) >= WINDOWS_ENOUGH and len({one.day for one in values}) >= DAYS_ENOUGH


class _Value(msgspec.Struct, frozen=True, kw_only=True):
    day: str
    hour: int
    mean: float
    spread: float


def _values(name: str, windows: Sequence[Seen]) -> list[_Value]:
    """One quantity through the week; a class that a window did not find has a share of 0 there."""
    found = []
    for one in windows:
        point = one.points.get(name)
        if point is None and name not in QUANTITIES and any(other not in QUANTITIES for other in one.points):
            point = Point(mean=0.0, spread=0.0, count=0)
        if point is not None:
            day, hour = one.began_at[:10], hour_of(one.began_at)
            found.append(_Value(day=day, hour=hour, mean=point.mean, spread=point.spread))
    return found


def _level(name: str, values: Sequence[_Value], sketch: Sketch | None) -> Level:
    quantity = QUANTITIES.get(name)
    least = quantity.least if quantity else LEAST_OF_CLASS
    grow = GROW_PICTURE if quantity and quantity.picture else GROW
    mean = _mean([one.mean for one in values])
    between = _mean([(one.mean - mean) ** 2 for one in values])
    spread = max(math.sqrt(_mean([one.spread**2 for one in values]) + between), least)
    days = sorted({one.day for one in values})
    left = {day: _centres([one for one in values if one.day != day]) for day in days}
    away = [(one, (one.mean - left[one.day][one.hour]) / spread) for one in values]
    scales = _scales(away)
    highs = [_extreme([d / scales[one.hour] for one, d in away if one.day == day], 1) for day in days]
    lows = [_extreme([d / scales[one.hour] for one, d in away if one.day == day], -1) for day in days]
    above, below = _reach(highs, grow), _reach(lows, grow)
    return Level(
        spread=spread,
        centre=tuple(_centres(values)),
        below=tuple(round(below * scale, 4) for scale in scales),
        above=tuple(round(above * scale, 4) for scale in scales),
        sketch=sketch,
    )


def _centres(values: Sequence[_Value]) -> list[float]:
    """The mean of each hour, drawn towards that of all hours as far as hours differ by chance alone."""
    cells: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in values:
        cells[one.hour][one.day].append(one.mean)
    hours = {hour: [_mean(means) for means in days.values()] for hour, days in cells.items()}
    means = {hour: _mean(days) for hour, days in hours.items()}
    whole = _mean(list(means.values()))
    chance = _mean([_variance(days) / len(days) for days in hours.values() if len(days) > 1])
    keep = _kept(chance, _variance(list(means.values())))
    return [whole + keep * (means.get(hour, whole) - whole) for hour in range(HOURS)]


def _scales(away: Sequence[tuple[_Value, float]]) -> list[float]:
    """How much to and fro there is at each hour; hours are taken with their neighbours, and drawn together likewise."""
    cells: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one, distance in away:
        cells[one.hour][one.day].append(distance * distance)
    by_hour = {hour: [_mean(squares) for squares in days.values()] for hour, days in cells.items()}
    plain = {hour: _mean(days) for hour, days in by_hour.items()}
    beside = {
        hour: _mean([plain[near % HOURS] for near in (hour - 1, hour, hour + 1) if near % HOURS in plain])
        for hour in plain
    }
    whole = _mean(list(beside.values()))
    chance = _mean([_variance(days) / len(days) for days in by_hour.values() if len(days) > 1])
    keep = _kept(chance, _variance(list(beside.values())))
    most = max(beside.values())  # an hour in which nothing ran may become any other
    squares = [whole + keep * (beside.get(hour, most) - whole) for hour in range(HOURS)]
    return [math.sqrt(max(one, _NARROWEST * whole, 1e-12)) for one in squares]


def _extreme(away: Sequence[float], side: int) -> float:
    """The farthest that two of three windows in a row lay on one side."""
    sided = [side * one for one in away]
    triples = zip(sided, sided[1:], sided[2:], strict=False)
    return max((sorted(three)[1] for three in triples), default=max((min(two) for two in pairwise(sided)), default=0.0))


def _reach(extremes: Sequence[float], grow: float) -> float:
    """The farthest of any day, and some more: as much as days differ in it, and a share of it."""
    return max(0.0, max(extremes) + math.sqrt(_variance(extremes))) * (1 + grow)


def _kept(chance: float, seen: float) -> float:
    return max(0.0, 1 - chance / seen) if seen > 0 else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _variance(values: Sequence[float]) -> float:
    mean = _mean(values)
    return sum((one - mean) ** 2 for one in values) / (len(values) - 1) if len(values) > 1 else 0.0
