"""How much a recipe may be, and how it is said that one cannot be read at all."""

from __future__ import annotations

from lineside.contract.recipes.findings import Place

MAX_BYTES = 1 << 18
"""Of a recipe; Greengrass takes 16 KiB."""

MAX_DEPTH = 64
"""Of objects and lists in one another."""

MAX_EXPANDED = 1 << 20
"""Values and characters of a recipe once its YAML aliases are written out."""


class Unreadable(Exception):
    """A document that cannot be read further, where, and why."""

    def __init__(self, place: Place, why: str) -> None:
        super().__init__(why)
        self.place = place
        self.why = why
