"""Curves of drift as small drawings in SVG units: all on one scale, in which 1 is the limit. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lineside.contract.drift_alarm import DriftPoint
from lineside.contract.drift_distance import Distance
from lineside.server.clock import parse_rfc3339

WIDTH, HEIGHT, MOST = 240.0, 80.0, 3.0
"""Size of a drawing, and how many limits it is high to either side; what is farther lies on its edge."""

USUAL = (HEIGHT / 2 * (1 - 1 / MOST), HEIGHT / MOST)
"""Where the band of what is usual begins, and its height."""


class Small(NamedTuple):
    """One quantity over time: a line, the windows that were far, and where it stands."""

    name: str
    line: str
    far: tuple[tuple[float, float], ...]
    last: DriftPoint
    held: int
    since: str  # the moment at its left edge; the same for all that are drawn together


def smalls(curves: Mapping[str, Sequence[DriftPoint]], held: Mapping[str, int]) -> list[Small]:
    """A drawing a quantity, held ones first, then by how far they are; all from the same beginning to the same end."""
    moments = [parse_rfc3339(one.at).timestamp() for points in curves.values() for one in points]
    since = min((one.at for points in curves.values() for one in points), default="")
    start, span = min(moments, default=0.0), (max(moments, default=0.0) - min(moments, default=0.0)) or 1.0
    found = []
    for name, points in curves.items():
        places = [
            ((parse_rfc3339(one.at).timestamp() - start) / span * WIDTH, _height(one.shift, one.limit))
            for one in points
        ]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        far = tuple((round(x, 1), y) for (x, y), one in zip(places, points, strict=True) if abs(one.shift) > one.limit)
        drawn = line if len(places) > 1 else f"{line} {line}"
        found.append(Small(name, drawn, far, points[-1], held.get(name, 0), since))
    return sorted(found, key=lambda one: (not one.held, -_times(one.last.shift, one.last.limit), one.name))


def farthest(told: Mapping[str, Distance]) -> tuple[str, float] | None:
    """The quantity that is farthest, in limits."""
    return max(
        ((name, _times(one.shift, one.limit)) for name, one in told.items()), key=lambda one: one[1], default=None
    )


def _times(shift: float, limit: float) -> float:
    return abs(shift) / limit if limit > 0 else 0.0


def _height(shift: float, limit: float) -> float:
    times = shift / limit if limit > 0 else 0.0
    return round(HEIGHT / 2 * (1 - max(-MOST, min(MOST, times)) / MOST), 1)
