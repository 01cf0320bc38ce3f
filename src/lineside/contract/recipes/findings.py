"""What is said about a recipe: each finding has its place, a code of the error table and what to do next.

The same rules serve two readers. A device wants the first error as an exception (`Strict`); an author wants them all
(`Collected`).
"""

from __future__ import annotations

import enum
from typing import Any, Protocol

import msgspec

from lineside.contract.errors import LinesideError

MOST = 1000
"""Findings beyond which warnings are left out."""


class Severity(enum.Enum):
    """An error is refused by devices; a warning is what its author most likely did not mean."""

    ERROR = "error"
    WARNING = "warning"


class Place(msgspec.Struct, frozen=True, order=True):
    """Where something stands in a file; both count from 1."""

    line: int = 1
    column: int = 1


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong with a recipe."""

    line: int
    column: int
    severity: Severity
    code: str
    sentence: str
    next: str


class Findings(Protocol):
    """Where rules say what they find. An error may be raised at once: whoever reports one goes on with a stand-in."""

    def error(self, place: Place, code: str, /, **params: Any) -> None:
        """The recipe cannot be used."""
        ...

    def warn(self, place: Place, code: str, /, **params: Any) -> None:
        """The recipe can be used, and does perhaps not what its author thinks."""
        ...


class Strict:
    """Raises the first error, with its line where it has a sentence of its own to put it in."""

    def error(self, place: Place, code: str, /, **params: Any) -> None:
        """Raise it."""
        for key in ("why", "what"):
            if key in params and place.line > 1:
                params[key] = f"{params[key]} (line {place.line})"
        raise LinesideError(code, **params)

    def warn(self, place: Place, code: str, /, **params: Any) -> None:
        """A device does not warn."""


class Collected:
    """Keeps them all; of warnings, as many as somebody may want to read."""

    def __init__(self) -> None:
        self._found: dict[tuple[Place, str, str], Finding] = {}

    def error(self, place: Place, code: str, /, **params: Any) -> None:
        """Keep an error."""
        self._keep(place, Severity.ERROR, LinesideError(code, **params))

    def warn(self, place: Place, code: str, /, **params: Any) -> None:
        """Keep a warning."""
        self._keep(place, Severity.WARNING, LinesideError(code, **params))

    def in_order(self) -> list[Finding]:
        """Everything found, each once, from the top of the file to its end."""
        return [finding for _, finding in sorted(self._found.items(), key=lambda item: item[0])]

    def _keep(self, place: Place, severity: Severity, said: LinesideError) -> None:
        if len(self._found) >= MOST and severity is Severity.WARNING:
            return
        self._found[place, said.code, said.message] = Finding(
            line=place.line,
            column=place.column,
            severity=severity,
            code=said.code,
            sentence=_sentence(said),
            next="docs/recipes.md says what each key does." if said.code == "recipe.invalid" else said.next,
        )


def _sentence(said: LinesideError) -> str:
    """An error in words; that the recipe cannot be read goes without saying beside the line of it."""
    why = said.params.get("why", "") if said.code == "recipe.invalid" else ""
    return f"{why[0].upper()}{why[1:]}." if why else said.message
