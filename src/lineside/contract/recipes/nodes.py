"""A recipe as it is written: values that know where they stand and how they were spelled.

Keys of objects are looked up without regard to case, as Greengrass's nucleus does.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from lineside.contract.recipes.findings import Findings, Place


@dataclasses.dataclass(slots=True)
class Scalar:
    """A single value. `text` is how it was written, so that `1.10` is no 1.1 where a text is wanted."""

    place: Place
    value: str | int | float | bool | None
    text: str
    plain: bool = False  # YAML without quotes
    block: bool = False  # YAML after `|`: its lines are those of the file


@dataclasses.dataclass(slots=True)
class Sequence:
    """A list."""

    place: Place
    items: list[Node]


@dataclasses.dataclass(slots=True)
class Mapping:
    """An object, in the order it was written."""

    place: Place
    entries: list[tuple[Scalar, Node]]

    def get(self, key: str) -> Node | None:
        """What is under a key, whatever its case; None when it is absent, or null."""
        for own, node in self.entries:
            if own.text.lower() == key.lower():
                return None if isinstance(node, Scalar) and node.value is None else node
        return None

    def keys(self) -> list[Scalar]:
        """Its keys."""
        return [key for key, _ in self.entries]


Node = Scalar | Sequence | Mapping


def plain(node: Node) -> Any:
    """The value without its places."""
    if isinstance(node, Mapping):
        return {key.text: plain(item) for key, item in node.entries}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.value


class Reading:
    """Takes parts of the kind that is wanted, and reports those of another."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings

    def invalid(self, node: Node, why: str) -> None:
        """Report that the recipe cannot be read."""
        self.findings.error(node.place, "recipe.invalid", why=why)

    def mapping(self, parent: Mapping, key: str) -> Mapping:
        """The object under a key; an empty one when there is none. Keys that differ in case only are reported."""
        found = parent.get(key)
        if found is None:
            return Mapping(parent.place, [])
        if not isinstance(found, Mapping):
            self.invalid(found, f"{key} is not an object")
            return Mapping(found.place, [])
        return found

    def items(self, parent: Mapping, key: str) -> list[Node]:
        """The list under a key; empty when there is none."""
        found = parent.get(key)
        if found is None:
            return []
        if not isinstance(found, Sequence):
            self.invalid(found, f"{key} is not a list")
            return []
        return found.items

    def text(self, node: Node, what: str) -> str:
        """A single value as it was written; `what` names it in errors."""
        if isinstance(node, Scalar):
            return node.text
        self.invalid(node, f"{what} is no text")
        return ""

    def optional(self, parent: Mapping, key: str) -> str | None:
        """The text under a key; None when there is none."""
        found = parent.get(key)
        return None if found is None else self.text(found, key)

    def once(self, parent: Mapping, where: str) -> None:
        """Report keys that are given twice, in whatever case."""
        seen: set[str] = set()
        for key in parent.keys():  # noqa: SIM118 - not a dict
            if key.text.lower() in seen:
                self.findings.error(key.place, "recipe.invalid", why=f"{key.text} is given twice in {where}")
            seen.add(key.text.lower())
