"""What is typed without being shown: passwords and tokens, which never stand on a command line."""

from __future__ import annotations

import sys

import typer

from lineside.contract.errors import LinesideError


def typed(what: str) -> str:
    """Ask for it at a terminal, unseen; without one it is the next line of standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def typed_twice(what: str) -> str:
    """The same, and at a terminal once more, because nobody sees what they type. Raises `password.bad`."""
    first = typed(what)
    if sys.stdin.isatty() and typed("The same again") != first:
        raise LinesideError("password.bad", why="it was not typed the same twice")
    return first
