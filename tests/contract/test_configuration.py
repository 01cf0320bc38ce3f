"""reset ► defaults ► merge."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.contract.configuration import effective, look_up, merged_at, spelled
from lineside.contract.deployment import ConfigurationUpdate

keys = st.sampled_from(["a", "A", "b", "c/d", "e~f"])
values = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(keys, values, max_size=4)


def update(*reset: str, **merge: Any) -> ConfigurationUpdate:
    return ConfigurationUpdate(reset=reset, merge=merge)


def test_a_new_versions_defaults_do_not_overwrite_what_runs() -> None:
    assert effective({"a": 1}, {"a": 2, "b": 3}, update()) == {"a": 1, "b": 3}


def test_a_reset_goes_back_to_the_default() -> None:
    assert effective({"a": {"x": 1, "y": 2}}, {"a": {"x": 9}}, update("/a/x")) == {"a": {"x": 9, "y": 2}}
    assert effective({"a": 1, "z": 1}, {"a": 2}, update("")) == {"a": 2}


def test_lists_are_replaced_whole_and_not_reset_inside() -> None:
    assert effective({"a": [1, 2]}, {}, update(a=[3])) == {"a": [3]}
    assert effective({"a": [1, 2]}, {}, update("/a/0")) == {"a": [1, 2]}


def test_null_is_a_value() -> None:
    assert effective({"a": {"x": 1}}, {"a": {"x": 2}}, update(a=None)) == {"a": None}


def test_escaped_pointers() -> None:
    assert effective({"c/d": 1, "e~f": 2}, {}, update("/c~1d", "/e~0f", "/nothing/there")) == {}


@given(objects, objects, objects)
def test_the_same_update_comes_to_rest(running: Any, defaults: Any, merge: Any) -> None:
    # Not at once: an object merged over a scalar gets the default's keys only in the next round, as in the nucleus.
    change = ConfigurationUpdate(merge=merge)
    twice = effective(effective(running, defaults, change), defaults, change)
    assert effective(twice, defaults, change) == twice


@given(objects, objects)
def test_a_first_update_may_be_repeated(defaults: Any, merge: Any) -> None:
    change = ConfigurationUpdate(merge=merge)
    once = effective({}, defaults, change)
    assert effective(once, defaults, change) == once


@given(objects, objects, objects)
def test_no_argument_is_changed_and_nothing_is_shared(running: Any, defaults: Any, merge: Any) -> None:
    before = copy.deepcopy((running, defaults, merge))
    result = effective(running, defaults, ConfigurationUpdate(merge=merge))
    _spoil(result)
    assert (running, defaults, merge) == before


@given(objects, objects)
def test_resetting_all_leaves_the_defaults(running: Any, defaults: Any) -> None:
    assert effective(running, defaults, update("")) == effective({}, defaults, update())


# --- a slow, obvious model: a configuration as a table of paths in lower case -------------------------------------

OBJECT = object()
Table = dict[tuple[str, ...], Any]
pointers = st.lists(st.sampled_from(["", "/a", "/A/b", "/a/a/b", "/c~1d", "/e~0f/A", "/b/0", "/nothing"]), max_size=3)


def rows_of(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every object and leaf of a value with its path, parents first; of keys alike but for case the last counts."""
    if not isinstance(value, dict):
        return [(path, value)]
    below = [row for key, item in value.items() for row in rows_of(item, (*path, key.lower()))]
    table: Table = {path: OBJECT}
    for row in below:
        put(table, *row)
    return list(table.items())


def under(table: Table, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [other for other in table if other[: len(path)] == path]


def put(table: Table, path: tuple[str, ...], value: Any) -> None:
    if value is OBJECT and table.get(path) is OBJECT:
        return
    for other in under(table, path):
        del table[other]
    table[path] = value


def model(running: Any, defaults: Any, reset: list[str], merge: Any) -> Any:
    table: Table = dict(rows_of(running))
    for pointer in reset:
        parts = tuple(part.replace("~1", "/").replace("~0", "~").lower() for part in pointer.split("/")[1:])
        for path in under(table, parts):
            del table[path]
        table[()] = OBJECT
    for path, value in rows_of(defaults):
        if path not in table and table.get(path[:-1]) is OBJECT:
            table[path] = value
    for path, value in rows_of(merge):
        put(table, path, value)
    return as_object(table, ())


def as_object(table: Table, path: tuple[str, ...]) -> Any:
    if table[path] is not OBJECT:
        return table[path]
    children = [other for other in table if len(other) == len(path) + 1 and other[: len(path)] == path]
    return {child[-1]: as_object(table, child) for child in children}


def lowered(value: Any) -> Any:
    return {key.lower(): lowered(item) for key, item in value.items()} if isinstance(value, dict) else value


@given(objects, objects, pointers, objects)
def test_an_update_is_what_the_slow_model_says(running: Any, defaults: Any, reset: list[str], merge: Any) -> None:
    found = effective(running, defaults, ConfigurationUpdate(reset=tuple(reset), merge=merge))
    assert lowered(found) == model(running, defaults, reset, merge)


@given(objects, st.lists(keys, max_size=3), values)
def test_a_merge_at_a_path_is_a_merge(running: Any, path: list[str], value: Any) -> None:
    if path or isinstance(value, dict):
        change = value
        for key in reversed(path):
            change = {key: change}
        assert merged_at(running, path, value) == effective(running, {}, ConfigurationUpdate(merge=change))


# --- keys in any case -----------------------------------------------------------------------------------------------


def test_a_key_keeps_the_spelling_it_came_with_first() -> None:
    assert effective({"Port": 1, "A": {"B": 2}}, {"PORT": 9}, update(port=3, a={"b": 4})) == {"Port": 3, "A": {"B": 4}}
    assert effective({"Port": 1}, {}, update("/port")) == {}


def test_look_up_in_any_case() -> None:
    configuration = {"A": {"b": [1], "n": None}, "a/b": 1}
    assert look_up(configuration, ["a", "B"]) == [1]
    assert look_up(configuration, ["A", "n"]) is None
    assert look_up(configuration, ["A/B"]) == 1
    assert look_up(configuration, []) == configuration
    assert spelled(configuration, ["a", "B"]) == ["A", "b"]


@pytest.mark.parametrize("path", [["x"], ["a", "x"], ["a", "b", "0"], ["a", "n", "x"]])
def test_what_is_not_there_is_a_key_error(path: list[str]) -> None:
    with pytest.raises(KeyError):
        look_up({"a": {"b": [1], "n": None}}, path)
    with pytest.raises(KeyError):
        spelled({"a": {"b": [1], "n": None}}, path)


def _spoil(value: Any) -> None:
    if isinstance(value, dict):
        for item in value.values():
            _spoil(item)
        value["spoiled"] = True
    elif isinstance(value, list):
        value.append("spoiled")
