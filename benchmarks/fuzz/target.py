"""What a fuzz target is: valid examples, a reader, and the errors that it documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lineside.contract.error_codes import PROBLEMS
from lineside.contract.errors import LinesideError


@dataclass(frozen=True)
class Target:
    """`read` raises nothing at all: what is documented it lets pass itself. `bytes_too`: whether changes to a JSON
    example's bytes, not only to its tree, say anything new."""

    name: str
    examples: Sequence[bytes]
    read: Callable[[bytes], None]
    bytes_too: bool = True


class Undocumented(AssertionError):
    """A reader did something that nobody said it would."""


def expect(error: LinesideError, *codes: str) -> None:
    """Let a documented error pass: one of these codes, or of these areas (`recipe.`)."""
    if error.code not in PROBLEMS or not any(
        error.code.startswith(code) if code.endswith(".") else error.code == code for code in codes
    ):
        raise Undocumented(f"{error.code}: {error}") from error
    str(error), error.report()
