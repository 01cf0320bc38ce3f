"""A component's effective configuration: reset ► defaults ► merge (Greengrass V2, "Update component configurations").

It starts from what runs now, so a new version's defaults never overwrite a value that is there.
"""

from __future__ import annotations

import copy
from typing import Any

from lineside.contract.deployment import ConfigurationUpdate


def effective(running: dict[str, Any], defaults: dict[str, Any], update: ConfigurationUpdate) -> dict[str, Any]:
    """The configuration after an update; none of the arguments is changed."""
    result = copy.deepcopy(running)
    for pointer in update.reset:
        _reset(result, pointer)
    _fill(result, defaults)
    _merge(result, update.merge)
    return result


def pointer_parts(pointer: str) -> list[str]:
    """The keys of a JSON pointer (RFC 6901); the empty pointer is the whole document."""
    if pointer == "":
        return []
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.removeprefix("/").split("/")]


def _reset(target: dict[str, Any], pointer: str) -> None:
    """Remove what the pointer names; elements of lists cannot be reset, and what is not there needs no removal."""
    parts = pointer_parts(pointer)
    if not parts:
        target.clear()
        return
    node: Any = target
    for part in parts[:-1]:
        node = node.get(part) if isinstance(node, dict) else None
    if isinstance(node, dict):
        node.pop(parts[-1], None)


def _fill(target: dict[str, Any], defaults: dict[str, Any]) -> None:
    for key, value in defaults.items():
        if key not in target:
            target[key] = copy.deepcopy(value)
        elif isinstance(target[key], dict) and isinstance(value, dict):
            _fill(target[key], value)


def _merge(target: dict[str, Any], changes: dict[str, Any]) -> None:
    """Objects are merged key by key; lists and scalars, null too, replace what was there."""
    for key, value in changes.items():
        if isinstance(target.get(key), dict) and isinstance(value, dict):
            _merge(target[key], value)
        else:
            target[key] = copy.deepcopy(value)
