"""What the demo shows while it works: a line for each stage with its seconds, and bars under the stage at work.

On a terminal the bars move; elsewhere each becomes a plain line now and then, so that a log stays readable.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text


class Bars(Protocol):
    """Progress bars by name."""

    def move(self, name: str, done: float, message: str = "") -> None:
        """Put the bar called `name` at `done` (0..1), making it if need be."""

    def close(self) -> None:
        """Take the bars away."""


class TerminalBars:
    """Bars that move in place."""

    def __init__(self, console: Console, title: str) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=28),
            TimeElapsedColumn(),
            TextColumn("{task.fields[message]}", markup=False),
            console=console,
            transient=True,
        )
        self._progress.start()
        self._progress.add_task(title, total=None, message="")
        self._bars: dict[str, TaskID] = {}

    def move(self, name: str, done: float, message: str = "") -> None:
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(f"  {name}", total=1.0, message="")
        self._progress.update(self._bars[name], completed=done, message=message)

    def close(self) -> None:
        self._progress.stop()


class PlainBars:
    """Lines: one when a bar appears, one for each quarter, one when it is full."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._quarters: dict[str, int] = {}
        console.print(f"… {title}", markup=False)

    def move(self, name: str, done: float, message: str = "") -> None:
        quarter = int(done * 4)
        if self._quarters.get(name, -1) < quarter:
            self._quarters[name] = quarter
            self._console.print(f"    {name} {done:.0%} {message}".rstrip(), markup=False)

    def close(self) -> None:
        pass


class Stage:
    """The stage at work: move its bars, and say in `outcome` what came of it."""

    def __init__(self, bars: Bars) -> None:
        self.move = bars.move
        self.outcome = ""


class Display:
    """Shows stages one after the other and remembers how long each took, in seconds."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, key: str, title: str, *, still: bool = False) -> Iterator[Stage]:
        """Work on one stage; its line is printed when it is over. While `still` nothing moves: somebody may type. A
        stage that is played again counts as KEY-2."""
        key = self._free(key)
        moving = self.console.is_terminal and not still
        bars: Bars = (TerminalBars if moving else PlainBars)(self.console, title)
        stage = Stage(bars)
        began = time.monotonic()
        try:
            yield stage
        except BaseException:
            bars.close()
            self._line("✗", "red", title, time.monotonic() - began, "")
            raise
        bars.close()
        self.seconds[key] = round(time.monotonic() - began, 1)
        self._line("✓", "green", title, self.seconds[key], stage.outcome)

    def _free(self, key: str) -> str:
        names = (key if number == 1 else f"{key}-{number}" for number in itertools.count(1))
        return next(name for name in names if name not in self.seconds)

    def say(self, text: str, style: str = "") -> None:
        """A sentence between or within stages."""
        self.console.print(Text(text, style=style), soft_wrap=True)

    def show(self, drawing: RenderableType) -> None:
        """Something drawn, like a table."""
        self.console.print(drawing)

    def _line(self, sign: str, style: str, title: str, seconds: float, outcome: str) -> None:
        line = Text.assemble((sign, style), f" {title:<34}", (f"{seconds:6.1f} s", "dim"), f"  {outcome}")
        self.console.print(line, soft_wrap=True)
