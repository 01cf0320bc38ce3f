"""Recipe variables of Greengrass V2: `{artifacts:path}`, `{configuration:/a/b}`, `{other.component:work:path}`.

What cannot be resolved stays as it is, so that shell words such as `${HOME:-/root}` pass untouched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from lineside.contract.configuration import pointer_parts

_VARIABLE = re.compile(r"\{(?:([.\w-]+):)?([.\w-]+):([^:}]*)}")

_ABSENT = object()


class Namespace(msgspec.Struct, frozen=True):
    """What the variables of one component mean: fixed values by `namespace:key`, and its configuration."""

    values: dict[str, str]
    configuration: dict[str, Any]


def interpolate(text: str, own: Namespace, dependencies: Mapping[str, Namespace]) -> str:
    """`text` with every known variable replaced, once; the values that come in are not looked at again."""

    def replace(found: re.Match[str]) -> str:
        component, namespace, key = found.groups()
        scope = own if component is None else dependencies.get(component)
        value = None if scope is None else _look_up(scope, namespace, key)
        return found.group(0) if value is None else value

    return _VARIABLE.sub(replace, text)


def _look_up(scope: Namespace, namespace: str, key: str) -> str | None:
    if namespace != "configuration":
        return scope.values.get(f"{namespace}:{key}")
    node: Any = scope.configuration
    for part in pointer_parts(key):
        node = node.get(part, _ABSENT) if isinstance(node, dict) else _ABSENT
    return None if node is _ABSENT else _as_text(node)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
