"""The command line: options of its own, and commands by their first words (`words`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Annotated

import typer

from lineside import __version__
from lineside.cli.words import FirstWords

app = typer.Typer(
    cls=FirstWords,
    name="lineside",
    help="Train vision models, ship them to devices, run them there, and bring back what they saw.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lineside {__version__}")
        raise typer.Exit


@app.callback()
def lineside(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_version)] = False,
) -> None:
    """Train vision models, ship them to devices, run them there, and bring back what they saw."""


_WIDEST = 120  # columns of a help, where the terminal has as many
_put_together = cache(typer.main.get_command)  # takes longer than most commands: once in a process


def run(arguments: Sequence[str]) -> int:
    """Run one command; answers its exit status (2 for a command line that is not understood)."""
    try:
        _put_together(app)(args=list(arguments), prog_name="lineside", max_content_width=_WIDEST)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
