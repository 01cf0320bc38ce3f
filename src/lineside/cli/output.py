"""Printing: a table for people, or one JSON document for programs; errors as one sentence and the next command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import typer
from rich.console import Console, RenderableType

from lineside.cli.connection import find
from lineside.client import Client
from lineside.contract.errors import ErrorReport, LinesideError

T = TypeVar("T")

_WIDE = 240  # columns when nobody looks: nothing is folded or cut


class Output:
    """Where one command prints. With `json` standard output carries JSON only."""

    def __init__(self, json: bool) -> None:
        self.json = json
        self.console = _console(stderr=False)
        self.progress = _console(stderr=True)

    def show(self, value: T, draw: Callable[[T], RenderableType], *, copied: str = "") -> None:
        """The command's answer: drawn for people, or as one JSON document. `copied` is a part of it that people copy:
        it stands below the rest in one piece, however narrow the terminal is."""
        if self.json:
            self.line(value)
            return
        self.console.print(draw(value))
        if copied:
            self.console.print()
            self.console.print(copied, markup=False, soft_wrap=True)

    def line(self, value: Any) -> None:
        """A value as one line of JSON."""
        sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
        sys.stdout.flush()

    def say(self, text: str) -> None:
        """A sentence for people, on standard error, so that standard output stays the answer's."""
        self.progress.print(text, markup=False)

    def follows(self, total: int, how: str) -> None:
        """Below one page of a list, for people: how many there are in all and how to see others; nothing below the
        last page, which has no `how`."""
        if how and not self.json:
            self.say(f"{total} in all. {how}")

    def fail(self, error: ErrorReport) -> None:
        """Say what went wrong and what to do next."""
        if self.json:
            self.line({"error": error})
        else:
            self.say(error.message + (f"\nNext: {error.next}" if error.next else ""))

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Turns an error into its sentence and exit status 1, Ctrl-C into status 130, a reader that left into 0."""
        try:
            yield
        except LinesideError as error:
            self.fail(error.report())
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except BrokenPipeError:  # `| head` has seen enough; what is still buffered goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None


@contextmanager
def session(url: str | None, root: Path | None, json: bool) -> Iterator[tuple[Client, Output]]:
    """A client and where to print, with errors explained."""
    out = Output(json)
    with out.explaining():
        yield find(url, root).client(), out


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=_WIDE)
