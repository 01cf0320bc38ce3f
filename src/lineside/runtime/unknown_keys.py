"""Keys of a configuration that nobody reads: each is refused, with the known one that is nearest."""

from __future__ import annotations

import difflib
from typing import Any

import msgspec
from msgspec import inspect


def unknown_key(value: object, kind: Any) -> str | None:
    """One sentence on the first key of `value` that `kind` (any type that msgspec knows) does not have; else None."""
    return _unknown(value, inspect.type_info(kind), "")


def _unknown(value: object, kind: inspect.Type, path: str) -> str | None:
    if isinstance(kind, inspect.Metadata):
        return _unknown(value, kind.type, path)
    if isinstance(value, list) and isinstance(kind, inspect.ListType | inspect.VarTupleType):
        return _first(((one, kind.item_type, f"{path}[{n}]") for n, one in enumerate(value)))
    if not isinstance(value, dict):
        return None
    if isinstance(kind, inspect.UnionType):
        struct = _member(value, kind)
        return _unknown(value, struct, path) if struct else None
    if isinstance(kind, inspect.DictType):
        return _first((one, kind.value_type, f"{path}.{key}") for key, one in value.items())
    if isinstance(kind, inspect.StructType):
        return _in_struct(value, kind, path)
    return None


def _first(parts: Any) -> str | None:
    return next((said for value, kind, path in parts if (said := _unknown(value, kind, path))), None)


def _member(value: dict[str, Any], kind: inspect.UnionType) -> inspect.Type | None:
    """Of several kinds of object, the one that the value's tag names."""
    structs = [one for one in kind.types if isinstance(one, inspect.StructType)]
    named = [one for one in structs if one.tag_field and value.get(one.tag_field) == one.tag]
    others = [one for one in kind.types if isinstance(one, inspect.DictType)]
    return next(iter(named or (structs if len(structs) == 1 else []) or others), None)


def _in_struct(value: dict[str, Any], kind: inspect.StructType, path: str) -> str | None:
    fields = {field.encode_name: field.type for field in kind.fields}
    known = [*fields, *([kind.tag_field] if kind.tag_field else [])]
    for key in value:
        if key not in known:
            nearest = difflib.get_close_matches(key, known, 1, 0.5)
            meant = f"; do you mean {nearest[0]}?" if nearest else f"; there are {', '.join(sorted(known))}"
            return f"there is no key {(path + '.' + key).removeprefix('.')}{meant}"
    return _first((value[key], fields[key], f"{path}.{key}") for key in value if key in fields)


def checked(value: object, kind: type[msgspec.Struct]) -> None:
    """Raises ValueError with the sentence."""
    if said := unknown_key(value, kind):
        raise ValueError(said)
