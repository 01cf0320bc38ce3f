"""Valid examples, changed: first their tree where they are JSON, then their bytes. Strategies of hypothesis."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

MOST_BYTES = 1 << 16

_NUMBERS = (0, 1, -1, 255, 256, 2**31 - 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64, 10**400, -(2**63) - 1)
_FLOATS = (0.5, -0.0, 1e308, -1e308, 5e-324, float("nan"), float("inf"))
_TEXTS = (
    *("", ".", "..", "../../etc/passwd", "/etc/passwd", "a/b", "CON", "a" * 300, "x" * 20_000, "\0", "\ud800", "ﬁ"),
    *("*", "[", "(a+)+$", "{0}", "%s", "${x}", "sha256:" + "0" * 64, "sha256:", "1.0.0", "1.0", ">=1.0.0 <2.0.0"),
    *("2026-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0000-00-00", "lineside:sha256/x/y", "http://169.254.169.254/"),
)
_LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(_NUMBERS),
    st.sampled_from(_FLOATS),
    st.sampled_from(_TEXTS),
    st.integers(),
    st.text(max_size=12),
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
_CHANGES = (*("value",) * 4, "remove", "again", "rename", "deep", "swap", "many")
_DEPTHS = st.sampled_from((2, 33, 65, 200, 2_000, 20_000))
_BYTES = (b"\0", b"\xff", b"\x7f", b"\x80", b"\n", b"{", b"[", b'"', b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x80\0\0\0")


@st.composite
def mutants(draw: st.DrawFn, examples: Sequence[bytes], *, bytes_too: bool = True) -> bytes:
    """One of the examples with up to a few changes, at most `MOST_BYTES` long."""
    data = draw(st.sampled_from(examples))
    tree = _tree(data)
    if tree is not None:
        for _ in range(draw(st.integers(0, 4))):
            tree = _edited(draw, tree)
        data = _written(tree)
    if bytes_too or tree is None:
        for _ in range(draw(st.integers(0, 3))):
            data = _damaged(draw, data)
    return data[:MOST_BYTES]


def _written(tree: Any) -> bytes:
    """As JSON, as far as it may be long: many of many of many are more than there is memory for."""
    pieces, size = [], 0
    for piece in json.JSONEncoder().iterencode(tree):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_BYTES:
            break
    return "".join(pieces).encode()


def _tree(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _edited(draw: st.DrawFn, tree: Any) -> Any:
    """A tree with one change, at a place of its own."""
    way: list[tuple[Any, Any]] = []
    node = tree
    while isinstance(node, dict | list) and node and (not way or draw(st.integers(0, 4))):
        key = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        way.append((node, key))
        node = node[key]
    if not way:
        return draw(_VALUES)
    holder, key = way[-1]
    _change(draw, holder, key)
    return tree


def _change(draw: st.DrawFn, holder: Any, key: Any) -> None:
    kind = draw(st.sampled_from(_CHANGES))
    if kind == "remove":
        del holder[key]
    elif kind == "rename" and isinstance(holder, dict):
        holder[draw(st.sampled_from((key.upper(), key.lower(), key + " ", *_TEXTS)))] = holder.pop(key)
    elif kind == "again":
        _add(holder, key, draw(_VALUES))
    elif kind == "deep":
        holder[key] = _nested(holder[key], draw(_DEPTHS))
    elif kind == "swap":
        other = draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        holder[key], holder[other] = holder[other], holder[key]
    elif kind == "many":
        holder[key] = [holder[key]] * draw(st.sampled_from((2, 100, 3_000)))
    else:
        holder[key] = draw(_VALUES)


def _add(holder: Any, key: Any, value: Any) -> None:
    if isinstance(holder, dict):
        holder[f"{key}2"] = value
    else:
        holder.append(value)


def _nested(value: Any, depth: int) -> Any:
    """A value so deep in lists, as far as `json` can write it; `_damaged` goes deeper."""
    for _ in range(min(depth, 400)):
        value = [value]
    return value


def _damaged(draw: st.DrawFn, data: bytes) -> bytes:
    at = draw(st.integers(0, len(data)))
    kind = draw(st.sampled_from(("set", "insert", "cut", "drop", "repeat", "flip", "deep")))
    if kind == "insert":
        return data[:at] + draw(st.sampled_from(_BYTES) | st.binary(max_size=8)) + data[at:]
    if kind == "cut":
        return data[:at]
    if kind == "drop":
        return data[:at] + data[at + draw(st.integers(1, 16)) :]
    if kind == "repeat":
        piece = data[at : at + draw(st.integers(1, 64))]
        return data[:at] + piece * draw(st.sampled_from((2, 3, 100, 1_000))) + data[at:]
    if kind == "flip":
        return data[:at] + bytes(one ^ (1 << draw(st.integers(0, 7))) for one in data[at : at + 1]) + data[at + 1 :]
    if kind == "deep":
        return data[:at] + draw(st.sampled_from((b"[", b'{"a":', b"- ", b"\x81"))) * draw(_DEPTHS) + data[at:]
    new = draw(st.sampled_from(_BYTES) | st.binary(min_size=1, max_size=4))
    return data[:at] + new + data[at + len(new) :]
