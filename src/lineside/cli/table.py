"""The two shapes in which commands show values: rows under headings, and names beside values."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

GOOD, BAD, DIM = "green", "red", "dim"

Cell = RenderableType | int | float | None


def rows(headings: Iterable[str], lines: Iterable[Iterable[Cell]], nothing: str) -> RenderableType:
    """A table; `nothing` is the sentence shown in place of an empty one."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for line in lines:
        table.add_row(*(cell(value) for value in line))
    return table if table.row_count else Text(nothing, style=DIM)


def details(pairs: Iterable[tuple[str, Cell]]) -> Table:
    """Names beside values; pairs without a value are left out."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style=DIM)
    table.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None and value != "":
            table.add_row(name, cell(value))
    return table


def spaced(parts: Iterable[RenderableType]) -> RenderableType:
    """One under the other, with an empty line between."""
    return Group(*(line for number, part in enumerate(parts) for line in ((Text(), part) if number else (part,))))


def cell(value: Cell) -> RenderableType:
    """A value as it stands in a table; text is never read as markup."""
    if value is None:
        return Text("-", style=DIM)
    if isinstance(value, float):
        return Text(f"{value:.3f}")
    if isinstance(value, str | int):
        return Text(str(value))
    return value


def mark(good: bool | None, word: str) -> Text:
    """A word in the colour of good, bad or neither."""
    return Text(word, style="" if good is None else GOOD if good else BAD)


def when(moment: str | None) -> str | None:
    """An RFC 3339 time to the second: `2026-11-21 04:01:03Z`."""
    if moment is None:
        return None
    return moment.replace("T", " ")[:19] + "Z"


def size(count: int) -> str:
    """Bytes as people read them, in the units of the pages and of what selectors compare (`memory_mb`)."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def short(digest: str) -> str:
    """The first twelve digits of a digest."""
    return digest.removeprefix("sha256:")[:12]
