"""Whether a point lies in a polygon."""

from __future__ import annotations

from collections.abc import Sequence

Point = tuple[float, float]


def contains(corners: Sequence[Point], point: Point) -> bool:
    """Even-odd: a ray from the point crosses the edges an odd number of times. The edges themselves are inside."""
    x, y = point
    inside = False
    for (ax, ay), (bx, by) in zip(corners, (*corners[1:], corners[0]), strict=True):
        turn = (bx - ax) * (y - ay) - (by - ay) * (x - ax)  # 0: on the line; its sign: on which side
        if turn == 0 and min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by):
            return True
        if (ay > y) != (by > y) and (turn > 0) == (by > ay):
            inside = not inside
    return inside
