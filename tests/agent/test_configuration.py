"""reset ► defaults ► merge."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lineside.contract.configuration import effective
from lineside.contract.deployment import ConfigurationUpdate

keys = st.sampled_from(["a", "b", "c/d", "e~f"])
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
    assert effective(running, defaults, update("")) == defaults


def _spoil(value: Any) -> None:
    if isinstance(value, dict):
        for item in value.values():
            _spoil(item)
        value["spoiled"] = True
    elif isinstance(value, list):
        value.append("spoiled")
