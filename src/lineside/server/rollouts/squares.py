"""The devices of a wave as small squares in a drawing: one path a progress, so that ten thousand of them are light.

A row of equal squares is one dashed line, so the text grows with the changes between neighbours, not with devices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

CELL = 10
"""Units of the drawing from one square to the next; the square itself takes `SQUARE` of them."""
SQUARE = 8
_NARROW, _WIDE = 24, 120  # squares in a row


class Squares(NamedTuple):
    """A drawing: its size in units, and a path for each progress there is."""

    width: int
    height: int
    paths: dict[str, str]


def squares(progress: Sequence[str]) -> Squares:
    """Draw these devices, in order, row by row."""
    columns = min(_WIDE, max(_NARROW, math.ceil(math.sqrt(len(progress) * 3))))
    rows = max(1, math.ceil(len(progress) / columns))
    pieces: dict[str, list[str]] = {}
    for row in range(rows):
        y, x = row * CELL + CELL // 2, 0
        for word, same in groupby(progress[row * columns : (row + 1) * columns]):
            count = sum(1 for _ in same)
            pieces.setdefault(word, []).append(f"M{x} {y}h{count * CELL - (CELL - SQUARE)}")
            x += count * CELL
    return Squares(columns * CELL, rows * CELL, {word: "".join(found) for word, found in pieces.items()})
