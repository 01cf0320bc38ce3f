"""YAML of plain data: what is read, and what a stranger's file cannot do."""

from __future__ import annotations

import pytest
import yaml

from lineside.contract.plain_yaml import MAX_NESTED, load_plain


def test_plain_data_is_read() -> None:
    assert load_plain("names: [good, scratched]\nwidth: 640\n") == {"names": ["good", "scratched"], "width": 640}


@pytest.mark.parametrize("opened", ["[", "- ", "{a: ", '[{"a": '])
def test_a_deep_nest_is_refused_however_it_is_written(opened: str) -> None:
    with pytest.raises(yaml.MarkedYAMLError, match=f"nested deeper than {MAX_NESTED}"):
        load_plain(opened * 30_000)


def test_a_nest_as_deep_as_allowed_is_read() -> None:
    value = load_plain("[" * MAX_NESTED + "]" * MAX_NESTED)
    for _ in range(MAX_NESTED - 1):
        (value,) = value
    assert value == []


def test_aliases_are_refused_at_their_place() -> None:
    with pytest.raises(yaml.MarkedYAMLError, match="aliases are not read") as refused:
        load_plain("a: &a [x, x]\nb: [*a, *a]\n")
    assert refused.value.problem_mark.line == 1
