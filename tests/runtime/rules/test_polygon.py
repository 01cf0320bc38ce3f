"""Membership in a polygon, against an independent check in exact numbers."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.runtime.rules.polygon import Point, contains

GRID = st.integers(0, 12)
POINTS = st.tuples(GRID, GRID)
L_SHAPE = [(0, 0), (4, 0), (4, 2), (2, 2), (2, 4), (0, 4)]
BOW_TIE = [(0, 0), (4, 4), (4, 0), (0, 4)]


@pytest.mark.parametrize(
    ("corners", "point", "inside"),
    [
        (L_SHAPE, (1, 3), True),
        (L_SHAPE, (3, 3), False),
        (L_SHAPE, (3, 1), True),
        (L_SHAPE, (2, 3), True),  # on the edge
        (L_SHAPE, (0, 0), True),  # on a corner
        (L_SHAPE, (2.0000001, 2.0000001), False),
        (L_SHAPE, (5, 0), False),  # level with an edge
        (L_SHAPE, (-1, 2), False),  # a ray through corners
        (BOW_TIE, (1, 2), True),
        (BOW_TIE, (2, 1), False),
    ],
)
def test_by_hand(corners: list[Point], point: Point, inside: bool) -> None:
    assert contains(corners, point) is inside
    assert contains(corners[::-1], point) is inside
    assert contains(corners[2:] + corners[:2], point) is inside


def on_edge(a: tuple[int, int], b: tuple[int, int], x: int, y: int) -> bool:
    """Whether some share of the way from a to b, exactly, is the point."""
    if a == b:
        return (x, y) == a
    axis = 0 if a[0] != b[0] else 1
    share = Fraction((x, y)[axis] - a[axis], b[axis] - a[axis])
    return 0 <= share <= 1 and (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])) == (x, y)


def upright_ray(corners: list[tuple[int, int]], x: int, y: int) -> bool:
    """Even-odd with a ray straight up from half a hair to the right, in fractions; the code's ray goes sideways."""
    ring = list(pairwise([*corners, corners[0]]))
    if any(on_edge(a, b, x, y) for a, b in ring):
        return True
    at = x + Fraction(1, 10**9)  # no corner of the grid lies there, and no edge comes between
    crossings = 0
    for (ax, ay), (bx, by) in ring:
        if (ax < at) != (bx < at):
            height = ay + (at - ax) * Fraction(by - ay, bx - ax)
            crossings += height > y
    return crossings % 2 == 1


@settings(max_examples=400, deadline=None)
@given(st.lists(POINTS, min_size=3, max_size=9), POINTS)
def test_against_exact_crossings_of_another_ray(corners: list[tuple[int, int]], point: tuple[int, int]) -> None:
    """Of any polygon, also of those whose edges cross or lie on one another."""
    assert contains(corners, point) == upright_ray(corners, *point)


@settings(max_examples=200, deadline=None)
@given(st.lists(POINTS, min_size=3, max_size=3), POINTS)
def test_a_triangle_against_its_areas(corners: list[tuple[int, int]], point: tuple[int, int]) -> None:
    """A point is in a triangle when the three triangles that it makes with the sides have the triangle's area."""

    def area(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> int:
        return abs((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]))

    a, b, c = corners
    if area(a, b, c):
        parts = area(a, b, point) + area(b, c, point) + area(c, a, point)
        assert contains(corners, point) == (parts == area(a, b, c))
