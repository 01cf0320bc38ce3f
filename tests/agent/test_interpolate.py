"""Recipe variables."""

from __future__ import annotations

import pytest

from lineside.agent.supervision.interpolate import Namespace, interpolate

OWN = Namespace({"artifacts:path": "/p/app/1", "work:path": "/w/app"}, {"a": {"b": 1, "s": "x", "n": None}})
OTHER = Namespace({"artifacts:path": "/p/model/2"}, {"k": [1, 2]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ls {artifacts:path}/x", "ls /p/app/1/x"),
        ("{tags.model:artifacts:path}", "/p/model/2"),
        ("{configuration:/a/b} {configuration:/a/s} {configuration:/a/n}", "1 x null"),
        ("{configuration:/a}", '{"b":1,"s":"x","n":null}'),
        ("{tags.model:configuration:/k}", "[1,2]"),
        ("{configuration:/nothing}", "{configuration:/nothing}"),
        ("{artifacts:Path}", "{artifacts:Path}"),
        ("{stranger:artifacts:path}", "{stranger:artifacts:path}"),
        ("${HOME:-/root} ${A:-{configuration:/a/b}}", "${HOME:-/root} ${A:-1}"),
        ("awk '{print $1}' {\"json\": 1}", "awk '{print $1}' {\"json\": 1}"),
    ],
)
def test_interpolate(text: str, expected: str) -> None:
    assert interpolate(text, OWN, {"tags.model": OTHER}) == expected


def test_values_are_not_looked_at_again() -> None:
    tricky = Namespace({"work:path": "/w"}, {"a": "{work:path}"})
    assert interpolate("{configuration:/a}", tricky, {}) == "{work:path}"
