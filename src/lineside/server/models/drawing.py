"""Numbers as lines in a box of SVG units: what pages of models draw. Pure; the templates only place the words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from lineside.contract.compared import CurvePair
from lineside.contract.evaluation import Estimate, Threshold, ThresholdPoint
from lineside.contract.model import GateResult, Variant
from lineside.contract.run import CurvePoint

WIDTH, HEIGHT = 320.0, 140.0
"""Size of a chart in SVG units; pages scale it."""

Points = Sequence[tuple[float, float]]


class Line(NamedTuple):
    """One line of a chart: the points of an SVG polyline, and what it is called (also its CSS class)."""

    name: str
    points: str
    last: float


class Chart(NamedTuple):
    """Lines over one another with the ends of their axes, and points that are marked."""

    title: str
    lines: tuple[Line, ...]
    left: float
    right: float
    bottom: float
    top: float
    marks: tuple[tuple[str, float, float], ...] = ()  # name, x, y in units


class Span(NamedTuple):
    """An estimate on a line from 0 to 100: the value, and its interval when it has one."""

    at: float
    low: float | None
    high: float | None


def chart(title: str, series: Iterable[tuple[str, Points]], marks: Iterable[tuple[str, float, float]] = ()) -> Chart:
    """Lines through points that share their axes; the vertical axis begins at 0 unless a value lies under it."""
    named = [(name, list(points)) for name, points in series if points]
    xs = [x for _, points in named for x, _ in points]
    ys = [y for _, points in named for _, y in points]
    left, right = (min(xs), max(xs)) if xs else (0.0, 1.0)
    bottom, top = min(0.0, *ys, 0.0), max(0.0, *ys, 0.0)
    place = _placed(left, right, bottom, top)
    lines = (
        Line(name, " ".join("{:.1f},{:.1f}".format(*place(*at)) for at in points), points[-1][1])
        for name, points in named
    )
    return Chart(title, tuple(lines), left, right, bottom, top, tuple((name, *place(x, y)) for name, x, y in marks))


def curves(pairs: Iterable[CurvePair]) -> list[Chart]:
    """Training curves of two versions, a chart a series."""
    return [chart(pair.series, (("a", pair.a), ("b", pair.b))) for pair in pairs]


def training(points: Iterable[CurvePoint]) -> list[Chart]:
    """The training curves of one version, a chart a series."""
    series: dict[str, list[tuple[float, float]]] = {}
    for point in sorted(points, key=lambda one: one.epoch):
        series.setdefault(point.series, []).append((point.epoch, point.value))
    return [chart(name, (("b", found),)) for name, found in series.items()]


def threshold(found: Threshold | None) -> Chart | None:
    """Cost, missed objects and false alarms by score threshold, with the chosen one and the one before."""
    if found is None or not found.curve:
        return None
    of: tuple[tuple[str, Callable[[ThresholdPoint], float]], ...] = (
        ("cost", lambda point: point.cost),
        ("missed", lambda point: point.missed),
        ("false alarms", lambda point: point.false_alarms),
    )
    series = [(name, [(point.threshold, float(value(point))) for point in found.curve]) for name, value in of]
    highest = max(y for _, points in series for _, y in points)
    marks = [("chosen", found.value, found.chosen.cost)]
    if found.before.cost <= highest and found.before.threshold != found.value:
        marks.append(("before", found.before.threshold, found.before.cost))
    return chart("threshold", series, marks)


def cheapest(found: Threshold | None) -> ThresholdPoint | None:
    """The threshold that costs least of those that were tried, the lowest of several."""
    return min(found.curve, key=lambda point: point.cost, default=None) if found else None


def span(one: Estimate | None, lowest: float = 0.0, highest: float = 1.0) -> Span | None:
    """An estimate between two ends, in per cent of the way."""
    if one is None:
        return None
    low = None if one.low is None else _percent(one.low, lowest, highest)
    high = None if one.high is None else _percent(one.high, lowest, highest)
    return Span(_percent(one.value, lowest, highest), low, high)


class GateDrawn(NamedTuple):
    """A gate's value as a bar from `zero` to `value`, with its limit, in per cent of the way."""

    zero: float
    value: float
    limit: float


def gate(one: GateResult) -> GateDrawn:
    """The number beside its limit, on one scale that holds both and 0."""
    lowest, highest = min(0.0, one.value, one.limit), max(0.0, one.value, one.limit)
    room = (highest - lowest) * 0.15 or 1.0
    ends = (lowest - (room if lowest < 0 else 0.0), highest + room)
    return GateDrawn(_percent(0.0, *ends), _percent(one.value, *ends), _percent(one.limit, *ends))


class Step(NamedTuple):
    """One variant on the ladder: its size and time in per cent of the largest there is, and what it lost."""

    variant: Variant
    size: float
    time: float | None
    lost: float | None  # mAP50-95 against the largest file, on val, else test


def ladder(variants: Sequence[Variant]) -> list[Step]:
    """Variants from the smallest file to the largest: the way back that the policy went."""
    ordered = sorted(variants, key=lambda one: one.size)
    largest = ordered[-1] if ordered else None
    slowest = max((one.latency_ms for one in ordered if one.latency_ms is not None), default=None)
    return [
        Step(
            variant=one,
            size=_percent(one.size, 0.0, largest.size) if largest else 0.0,
            time=None if one.latency_ms is None or slowest is None else _percent(one.latency_ms, 0.0, slowest),
            lost=None if largest is None or one is largest else _lost(largest, one),
        )
        for one in ordered
    ]


def _lost(largest: Variant, one: Variant) -> float | None:
    for side in ("val", "test"):
        if side in largest.metrics and side in one.metrics:
            return largest.metrics[side].map - one.metrics[side].map
    return None


def _percent(value: float, lowest: float, highest: float) -> float:
    share = (value - lowest) / (highest - lowest) if highest > lowest else 0.0
    return round(100 * min(1.0, max(0.0, share)), 2)


def _placed(left: float, right: float, bottom: float, top: float) -> Callable[[float, float], tuple[float, float]]:
    across, up = right - left or 1.0, top - bottom or 1.0
    return lambda x, y: (round((x - left) / across * WIDTH, 1), round(HEIGHT - (y - bottom) / up * HEIGHT, 1))
