"""Rectangles, which boxes and detections are, and how much two of them are the same."""

from __future__ import annotations

from typing import Protocol


class Rectangle(Protocol):
    """A box in pixels, from the top left."""

    @property
    def x(self) -> float: ...
    @property
    def y(self) -> float: ...
    @property
    def width(self) -> float: ...
    @property
    def height(self) -> float: ...


def iou(one: Rectangle, other: Rectangle) -> float:
    """Intersection over union of two rectangles, 0..1; 0 where they do not meet."""
    wide = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    high = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if wide <= 0 or high <= 0:
        return 0.0
    both = wide * high
    return both / (one.width * one.height + other.width * other.height - both)
