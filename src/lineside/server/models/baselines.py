"""A model's drift baseline as rows of a page: what its test images were like, and what it said of them. Pure."""

from __future__ import annotations

from typing import NamedTuple

from lineside.contract.drift import QUANTITIES, Baseline, Sketch

WIDTH, HEIGHT = 120.0, 18.0
"""Size of a histogram in SVG units."""


class Bar(NamedTuple):
    """A bin's rectangle."""

    x: float
    y: float
    width: float
    height: float


class Row(NamedTuple):
    """One quantity: its mean and spread in its unit, and the bins between the first and the last that hold anything."""

    name: str
    mean: str
    spread: str
    unit: str
    values: int
    bars: tuple[Bar, ...]


def rows(baseline: Baseline | None) -> tuple[Row, ...]:
    """A row a quantity; one of an older baseline has no mean and no spread."""
    if baseline is None:
        return ()
    return tuple(_row(name, sketch) for name, sketch in baseline.sketches.items())


def _row(name: str, sketch: Sketch) -> Row:
    quantity = QUANTITIES.get(name)
    known = sketch.mean is not None
    return Row(
        name=name.replace("_", " "),
        mean=f"{sketch.mean:.3g}" if known else "–",
        spread=f"{sketch.spread:.2g}" if known else "–",
        unit=quantity.unit if quantity is not None and known else "",
        values=sketch.count,
        bars=_bars(sketch.counts),
    )


def _bars(counts: tuple[int, ...]) -> tuple[Bar, ...]:
    held = [place for place, count in enumerate(counts) if count]
    if not held:
        return ()
    shown = counts[held[0] : held[-1] + 1]
    width, most = WIDTH / len(shown), max(shown)
    heights = [HEIGHT * count / most for count in shown]
    return tuple(
        Bar(round(n * width, 2), round(HEIGHT - height, 2), round(width, 2), round(height, 2))
        for n, height in enumerate(heights)
        if height
    )
