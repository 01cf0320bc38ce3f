"""Recipe variables."""

from __future__ import annotations

import pytest

from lineside.agent.supervision.interpolate import Namespace, interpolate

OWN = Namespace(
    {"artifacts:path": "/p/app/1", "work:path": "/w/app", "kernel:rootPath": "/r", "iot:thingName": "cell-1"},
    {"a": {"b": 1, "s": "x", "n": None, "t": True, "f": 1.5, "e": "", "l": [1, {"x": None}]}, "a/b": "~", "Port": 80},
)
OTHER = Namespace({"artifacts:path": "/p/model/2"}, {"k": [1, 2]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ls {artifacts:path}/x", "ls /p/app/1/x"),
        ("{kernel:rootPath} {iot:thingName} {work:path}", "/r cell-1 /w/app"),
        ("{tags.model:artifacts:path}", "/p/model/2"),
        ("{configuration:/a/b} {configuration:/a/s} {configuration:/a/n}", "1 x null"),
        ("{configuration:/a/t} {configuration:/a/f} [{configuration:/a/e}]", "true 1.5 []"),
        ("{configuration:/a/l}", '[1,{"x":null}]'),
        ("{tags.model:configuration:}", '{"k":[1,2]}'),
        ("{tags.model:configuration:/k}", "[1,2]"),
        ("{configuration:/a~1b}", "~"),
        ("{configuration:/port} {configuration:/A/B}", "80 1"),  # keys in any case, as in the nucleus
        ("{configuration:/nothing}", "{configuration:/nothing}"),
        ("{configuration:/a/l/0}", "{configuration:/a/l/0}"),  # lists have no inside
        ("{configuration:/a/b/c}", "{configuration:/a/b/c}"),
        ("{artifacts:Path}", "{artifacts:Path}"),
        ("{Configuration:/a/b}", "{Configuration:/a/b}"),
        ("{stranger:artifacts:path}", "{stranger:artifacts:path}"),
        ("{stranger:configuration:/a/b}", "{stranger:configuration:/a/b}"),
        ("${HOME:-/root} ${A:-{configuration:/a/b}}", "${HOME:-/root} ${A:-1}"),
        ("${A:-{work:path}}/x ${B:={tags.model:artifacts:path}}", "${A:-/w/app}/x ${B:=/p/model/2}"),
        ("{{artifacts:path}}", "{/p/app/1}"),
        ("{artifacts:path", "{artifacts:path"),
        ("awk '{print $1}' {\"json\": 1}", "awk '{print $1}' {\"json\": 1}"),
        ("a: {b: c, d:e}", "a: {b: c, d:e}"),
    ],
)
def test_interpolate(text: str, expected: str) -> None:
    assert interpolate(text, OWN, {"tags.model": OTHER}) == expected


@pytest.mark.parametrize("value", ["{work:path}", "{tags.model:artifacts:path}", "{configuration:/a}"])
def test_values_are_not_looked_at_again(value: str) -> None:
    tricky = Namespace({"work:path": "/w"}, {"a": value})
    assert interpolate("{configuration:/a}", tricky, {"tags.model": OTHER}) == value


def test_a_value_that_no_script_can_hold_is_cut() -> None:
    assert interpolate("{configuration:/a}", Namespace({}, {"a": "x\0y"}), {}) == "xy"


def test_values_are_not_quoted() -> None:
    # As in Greengrass: whoever may set a configuration may run commands as the component. docs/recipes.md says so.
    assert interpolate("echo {configuration:/a}", Namespace({}, {"a": "x; id"}), {}) == "echo x; id"
