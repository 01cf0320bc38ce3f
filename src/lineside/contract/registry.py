"""What people keep about model versions: names that point at them, cards that tell of them, and pages of them."""

from __future__ import annotations

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.contract.model import ModelState, ModelVersion

LATEST, CHAMPION = "latest", "champion"
"""Aliases that are always there: the newest version, and the newest approved one until people point it elsewhere."""

NO_VERSION = 0
"""In `PointAlias.expected`: the alias was not there."""


class ModelPage(msgspec.Struct, frozen=True, kw_only=True):
    """Model versions, newest first. `next` is what `before` of the page after this one has to be."""

    models: tuple[ModelVersion, ...]
    total: int  # of all pages
    next: int | None = None


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """A name for one version of a model, like `production`: only a pointer. Nobody set those without `at`."""

    model: str
    alias: str
    version: int
    state: ModelState  # of that version
    at: str | None = None
    by: str = ""
    why: str = ""


class AliasMove(msgspec.Struct, frozen=True, kw_only=True):
    """One row of an alias's history: from which version to which; None where it was not there."""

    at: str
    before: int | None
    version: int | None
    by: str
    why: str


class AliasHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Moves of an alias, newest first. `next` is what `before` of the page after this one has to be."""

    moves: tuple[AliasMove, ...]
    total: int  # of all pages
    next: int | None = None


class PointAlias(msgspec.Struct, frozen=True, kw_only=True):
    """Point an alias at a version. With `expected` only if it points there now (0: only if it is not there)."""

    version: int
    expected: int | None = None
    reason: str = ""


class RemoveAlias(msgspec.Struct, frozen=True, kw_only=True):
    """Take an alias away; with `expected` only if it points there now."""

    expected: int | None = None
    reason: str = ""


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """What a model version is and is not for, as Markdown: written from what is known, and what people added."""

    model: str
    version: int
    generated: str
    notes: str = ""
    revision: int = 0  # of the notes; 0: nobody wrote any
    at: str | None = None
    by: str = ""

    @property
    def text(self) -> str:
        """The whole card."""
        return f"{self.generated.rstrip()}\n\n## Notes\n\n{self.notes.strip()}\n" if self.notes else self.generated


class CardEdit(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a card's history: the notes as they were from then on."""

    revision: int
    at: str
    by: str
    why: str
    notes: str


class CardHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Revisions of a card's notes, newest first. `next` is what `before` of the page after this one has to be."""

    edits: tuple[CardEdit, ...]
    total: int  # of all pages
    next: int | None = None


class EditCard(msgspec.Struct, frozen=True, kw_only=True):
    """New notes for a card, in the place of those of `revision`."""

    notes: str
    revision: int
    reason: str = ""


MOST_NOTES = 100_000
"""Characters of a card's notes."""


class Reference(msgspec.Struct, frozen=True):
    """A version as people ask for it: by number, or by alias."""

    name: str
    version: int | None
    alias: str = ""


def read_reference(text: str) -> Reference:
    """`NAME:VERSION`, `NAME@ALIAS`, or `NAME` for its newest version. Raises `request.invalid`."""
    name, at, alias = text.partition("@")
    name, colon, version = (name, "", "") if at else text.partition(":")
    right = is_name(name) and (not at or is_name(alias)) and (not colon or _is_version(version))
    if not right:
        raise LinesideError("request.invalid", why=f"{text[:160]!r} is not NAME:VERSION or NAME@ALIAS")
    return Reference(name, int(version) if colon else None, "" if colon else alias or LATEST)


def check_alias(alias: str) -> None:
    """Raises `request.invalid` for what cannot name an alias: numbers are versions, `latest` is always the newest."""
    if not is_name(alias) or alias.isdigit():
        raise LinesideError("request.invalid", why=f"{alias[:160]!r} cannot name an alias")
    if alias == LATEST:
        raise LinesideError("request.invalid", why="latest is always the newest version")


def _is_version(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
