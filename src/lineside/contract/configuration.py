"""A component's effective configuration: reset ► defaults ► merge (Greengrass V2, "Update component configurations").

It starts from what runs now, so a new version's defaults never overwrite a value that is there. Keys are looked up
without regard to case, as in Greengrass's nucleus; a key keeps the spelling it came with first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lineside.contract.deployment import ConfigurationUpdate

FOLLOWS_KEY = "lineside.follows"
"""In a recipe's default configuration: names of components that it depends on, and whose new versions it takes up by
itself, without a restart. Where their files lie is then in the file that `FOLLOWED_VARIABLE` names: a JSON object of
their names and their folders (`{NAME:artifacts:path}`), replaced when they change."""

FOLLOWED_VARIABLE = "LINESIDE_FOLLOWED"
SETTLING_VARIABLE = "LINESIDE_SETTLING"
"""Set for a Probe that is to say whether what is followed has been taken up; not for the one each minute, which asks
only whether the component is well."""


def follows(configuration: dict[str, Any], defaults: dict[str, Any]) -> frozenset[str]:
    """The components that one follows: those that its recipe's defaults name, for only the recipe knows whether its
    code can, and that its configuration has left. Anything but a list of names is none."""
    return _names(configuration.get(FOLLOWS_KEY)) & _names(defaults.get(FOLLOWS_KEY))


def _names(found: object) -> frozenset[str]:
    return frozenset(name for name in found if isinstance(name, str)) if isinstance(found, list) else frozenset()


def effective(running: dict[str, Any], defaults: dict[str, Any], update: ConfigurationUpdate) -> dict[str, Any]:
    """The configuration after an update; none of the arguments is changed, and nothing is shared with them."""
    result: dict[str, Any] = _copy(running)
    for pointer in update.reset:
        _reset(result, pointer)
    _fill(result, _copy(defaults))
    _merge(result, _copy(update.merge))
    return result


def merged_at(configuration: dict[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    """The configuration after `value` was merged at a path of keys, which is made where it is missing.

    With an empty path `value` must be an object. Nothing is changed or shared.
    """
    change = value
    for key in reversed(path):
        change = {key: change}
    result: dict[str, Any] = _copy(configuration)
    _merge(result, _copy(change))
    return result


def look_up(configuration: dict[str, Any], path: Sequence[str]) -> Any:
    """What is at a path of keys, null too; elements of lists have no path. Raises KeyError when nothing is."""
    node: Any = configuration
    for key in path:
        node = node[_own(node, key)] if isinstance(node, dict) else _absent(key)
    return node


def spelled(configuration: dict[str, Any], path: Sequence[str]) -> list[str]:
    """A path with the spelling its keys have in the configuration. Raises KeyError when nothing is there."""
    node: Any = configuration
    result = []
    for key in path:
        own = _own(node, key) if isinstance(node, dict) else _absent(key)
        result.append(own)
        node = node[own]
    return result


def pointer_parts(pointer: str) -> list[str]:
    """The keys of a JSON pointer (RFC 6901); the empty pointer is the whole document."""
    if pointer == "":
        return []
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.removeprefix("/").split("/")]


def _absent(key: str) -> Any:
    raise KeyError(key)


def _own(node: dict[str, Any], key: str) -> str:
    """How `key` is spelled in an object. Raises KeyError when it is not there in any case."""
    if key in node:
        return key
    folded = key.lower()
    for own in node:
        if own.lower() == folded:
            return own
    raise KeyError(key)


def _spelling(node: dict[str, Any], key: str) -> str:
    """How `key` is spelled in an object, or as it is when it is new."""
    try:
        return _own(node, key)
    except KeyError:
        return key


def _reset(target: dict[str, Any], pointer: str) -> None:
    """Remove what the pointer names; elements of lists cannot be reset, and what is not there needs no removal."""
    parts = pointer_parts(pointer)
    if not parts:
        target.clear()
        return
    try:
        node = look_up(target, parts[:-1])
        if isinstance(node, dict):
            del node[_own(node, parts[-1])]
    except KeyError:
        return


def _fill(target: dict[str, Any], defaults: dict[str, Any]) -> None:
    for key, value in defaults.items():
        own = _spelling(target, key)
        if own not in target:
            target[own] = value
        elif isinstance(target[own], dict) and isinstance(value, dict):
            _fill(target[own], value)


def _merge(target: dict[str, Any], changes: dict[str, Any]) -> None:
    """Objects are merged key by key; lists and scalars, null too, replace what was there."""
    for key, value in changes.items():
        own = _spelling(target, key)
        if isinstance(target.get(own), dict) and isinstance(value, dict):
            _merge(target[own], value)
        else:
            target[own] = value


def _copy(value: Any) -> Any:
    """A copy that shares nothing; of keys that differ in case only the last one counts."""
    if isinstance(value, dict):
        result: dict[str, Any] = {}
        for key, item in value.items():
            _merge(result, {key: _copy(item)})
        return result
    return [_copy(item) for item in value] if isinstance(value, list) else value
