"""The steps of a run as a drawing: each step right of all it needs, the built-in ones in one line, own ones below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lineside.contract.run import Step
from lineside.contract.run_order import BUILT_IN

WIDTH, HEIGHT = 150, 46
_GAP_X, _GAP_Y, _MARGIN = 44, 22, 4
_BUILT_IN = frozenset(name for names in BUILT_IN.values() for name in names)


@dataclass(frozen=True)
class Box:
    """A step and where it stands, in pixels."""

    step: Step
    x: int
    y: int


@dataclass(frozen=True)
class Graph:
    """All boxes, and the lines between them as SVG paths."""

    boxes: tuple[Box, ...]
    lines: tuple[str, ...]
    width: int
    height: int


def graph_of(steps: Sequence[Step]) -> Graph:
    """The drawing of a run's steps, which stand after all they need."""
    columns: dict[str, int] = {}
    taken: set[tuple[int, int]] = set()
    boxes: dict[str, Box] = {}
    for step in steps:
        column = 1 + max((columns[need] for need in step.needs if need in columns), default=-1)
        row = 0 if step.name in _BUILT_IN else 1
        while (column, row) in taken:
            row += 1
        taken.add((column, row))
        columns[step.name] = column
        boxes[step.name] = Box(step, _MARGIN + column * (WIDTH + _GAP_X), _MARGIN + row * (HEIGHT + _GAP_Y))
    lines = [_line(boxes[need], box) for box in boxes.values() for need in box.step.needs if need in boxes]
    width = max((box.x for box in boxes.values()), default=0) + WIDTH + _MARGIN
    height = max((box.y for box in boxes.values()), default=0) + HEIGHT + _MARGIN
    return Graph(tuple(boxes.values()), tuple(lines), width, height)


def _line(start: Box, end: Box) -> str:
    x1, y1 = start.x + WIDTH, start.y + HEIGHT // 2
    x2, y2 = end.x - 6, end.y + HEIGHT // 2
    bend = max(20, (x2 - x1) // 2)
    return f"M {x1} {y1} C {x1 + bend} {y1}, {x2 - bend} {y2}, {x2} {y2}"
