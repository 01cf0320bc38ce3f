"""Which agent the loader starts, as a table; and whatever is on disk, it finds one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.agent.loader.loader import MAX_STARTS, MAX_UNCONFIRMED, choose, give_up

OLD = {"digest": "sha256:1", "version": "1.0.0", "command": ["/old"], "starts": 0}
NEW = {"digest": "sha256:2", "version": "2.0.0", "command": ["/new"], "starts": 0, "document": "r2"}


@pytest.mark.parametrize(
    ("pointer", "key"),
    [
        ({}, "base"),
        ({"good": None, "trying": None}, "base"),
        ({"good": OLD}, "good"),
        ({"good": OLD | {"starts": MAX_UNCONFIRMED - 1}}, "good"),
        ({"good": OLD | {"starts": MAX_UNCONFIRMED}}, "base"),
        ({"good": {"command": []}}, "base"),
        ({"good": {"command": "/bin/sh"}}, "base"),
        ({"good": OLD, "trying": NEW}, "trying"),
        ({"good": None, "trying": NEW | {"starts": MAX_STARTS - 1}}, "trying"),
        ({"good": OLD, "trying": NEW | {"starts": MAX_STARTS}}, "good"),
        ({"good": None, "trying": NEW | {"starts": MAX_STARTS}}, "base"),
        ({"good": OLD, "trying": {"command": [1]}}, "good"),
    ],
)
def test_which_agent_is_started(pointer: dict[str, Any], key: str) -> None:
    assert choose(pointer)[0] == key


def test_every_start_is_counted_before_it_happens() -> None:
    pointer: dict[str, Any] = {"good": OLD, "trying": NEW}
    keys = []
    for _ in range(MAX_STARTS + 1):
        key, pointer = choose(pointer)
        keys.append(key)
    assert keys == ["trying"] * MAX_STARTS + ["good"]
    assert pointer["good"]["version"] == "1.0.0"
    assert pointer["failed"]["digest"] == "sha256:2"
    assert pointer["failed"]["document"] == "r2"
    assert pointer["failed"]["previous"] == "1.0.0"
    assert "3 times" in pointer["failed"]["why"]


def test_what_was_given_up_is_remembered_by_document() -> None:
    assert give_up({"good": None, "trying": NEW}, "it hung")["failed"] == {
        "digest": "sha256:2",
        "version": "2.0.0",
        "document": "r2",
        "why": "it hung",
        "previous": "the one installed by hand",
    }


_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_keys = st.sampled_from(["command", "starts", "deadline", "digest", "version", "document"]) | st.text()
_values = st.recursive(_scalars, lambda inner: st.lists(inner) | st.dictionaries(_keys, inner), max_leaves=6)


@given(st.dictionaries(st.sampled_from(["good", "trying", "failed"]), _values | st.dictionaries(_keys, _values)))
def test_whatever_pointer_json_holds_an_agent_is_chosen(pointer: dict[str, Any]) -> None:
    for _ in range(2 + MAX_STARTS + MAX_UNCONFIRMED):
        key, pointer = choose(pointer)
        assert key == "base" or pointer[key]["command"]
        if key == "base":
            return
    assert pointer[key]["starts"] < 0, "a number below zero takes longer, no other"
