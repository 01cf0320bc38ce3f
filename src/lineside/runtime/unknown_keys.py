"""Keys of a configuration that nobody reads, and words that mean nothing where one of a few is wanted: each is refused,
with the known one that is nearest."""

from __future__ import annotations

import difflib
from typing import Any

from msgspec import inspect


def unknown_key(value: object, kind: Any) -> str | None:
    """One sentence on the first key of `value` that `kind` (any type that msgspec knows) does not have, or the first
    word that is none of those it may be; else None."""
    return _unknown(value, inspect.type_info(kind), "")


def _unknown(value: object, kind: inspect.Type, path: str) -> str | None:
    if isinstance(kind, inspect.Metadata):
        return _unknown(value, kind.type, path)
    if isinstance(value, list) and isinstance(kind, inspect.ListType | inspect.VarTupleType):
        return _first(((one, kind.item_type, f"{path}[{n}]") for n, one in enumerate(value)))
    if isinstance(value, str):
        return _no_word(value, kind, path)
    if not isinstance(value, dict):
        return None
    if isinstance(kind, inspect.UnionType):
        struct = _member(value, kind)
        return _unknown(value, struct, path) if struct else _no_kind(value, kind, path)
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


def _no_kind(value: dict[str, Any], kind: inspect.UnionType, path: str) -> str | None:
    """Of several kinds of object, the tag names none."""
    structs = [one for one in kind.types if isinstance(one, inspect.StructType) and one.tag_field]
    field = structs[0].tag_field if structs else None
    said = value.get(field) if field else None
    if not isinstance(said, str):
        return None
    return _none_of(said, [str(one.tag) for one in structs], f"{path}.{field}")


def _no_word(value: str, kind: inspect.Type, path: str) -> str | None:
    members = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    known: list[str] = []
    for one in members:
        if isinstance(one, inspect.EnumType):
            known += [str(member.value) for member in one.cls]
        elif isinstance(one, inspect.LiteralType):
            known += [word for word in one.values if isinstance(word, str)]
        elif not isinstance(one, inspect.NoneType):
            return None  # any text, perhaps
    return _none_of(value, known, path) if known and value not in known else None


def _none_of(said: str, known: list[str], path: str) -> str:
    return f"{path.removeprefix('.')} cannot be {said!r}{_meant(said, known)}"


def _meant(said: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(said, known, 1, 0.5)
    return f"; do you mean {nearest[0]}?" if nearest else f"; there are {', '.join(sorted(known))}"


def _in_struct(value: dict[str, Any], kind: inspect.StructType, path: str) -> str | None:
    fields = {field.encode_name: field.type for field in kind.fields}
    known = [*fields, *([kind.tag_field] if kind.tag_field else [])]
    for key in value:
        if key not in known:
            return f"there is no key {(path + '.' + key).removeprefix('.')}{_meant(key, known)}"
    return _first((value[key], fields[key], f"{path}.{key}") for key in value if key in fields)
