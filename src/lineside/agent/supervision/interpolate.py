"""Recipe variables of Greengrass V2: `{artifacts:path}`, `{configuration:/a/b}`, `{other.component:work:path}`.

What cannot be resolved stays as it is, so that shell words such as `${HOME:-/root}` pass untouched. What comes in is
not quoted, as in Greengrass: a configuration value becomes part of the shell script that names it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from lineside.contract.configuration import look_up, pointer_parts
from lineside.contract.recipes.variables import CONFIGURATION, VARIABLE


class Namespace(msgspec.Struct, frozen=True):
    """What the variables of one component mean: fixed values by `namespace:key`, and its configuration."""

    values: dict[str, str]
    configuration: dict[str, Any]


def interpolate(text: str, own: Namespace, dependencies: Mapping[str, Namespace]) -> str:
    """`text` with every known variable replaced, once; the values that come in are not looked at again.

    `dependencies` are those that the component itself names: those of its dependencies are strangers to it.
    """

    def replace(found: re.Match[str]) -> str:
        component, namespace, key = found.groups()
        scope = own if component is None else dependencies.get(component)
        value = None if scope is None else _value(scope, namespace, key)
        return found.group(0) if value is None else value

    return VARIABLE.sub(replace, text)


def _value(scope: Namespace, namespace: str, key: str) -> str | None:
    if namespace != CONFIGURATION:
        return scope.values.get(f"{namespace}:{key}")
    try:
        return _as_text(look_up(scope.configuration, pointer_parts(key)))
    except KeyError:
        return None


def _as_text(value: Any) -> str:
    """A text as it is, without NUL, which no script can hold; anything else as JSON."""
    return value.replace("\0", "") if isinstance(value, str) else msgspec.json.encode(value).decode()
