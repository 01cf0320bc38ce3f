"""Selectors are read, kept and evaluated as written; what cannot be read says where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.contract.errors import LinesideError
from lineside.contract.selector import KEY, Operator, Requirement, Selector, number_of, parse

BERLIN = {"site": "berlin", "line": "3", "memory_mb": "4096", "arch": "aarch64", "agent_version": "1.10.2"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "site=berlin",
        "site==berlin",
        "line in (3, 4)",
        "line notin (5)",
        "!spare",
        "site",
        "site!=hamburg",
        "nothing!=hamburg",
        "nothing notin (a, b)",
        "memory_mb>=4096",
        "memory_mb > 4095.5",
        "memory_mb<10000",
        "arch=arm64",
        "architecture = arm64",
        "agent_version>=1.9",
        "agent_version<2",
        'site="berlin"',
        "site=berlin, line in (3, 4), !spare, memory_mb>=4096, arch!=x86_64",
    ],
)
def test_it_selects(text: str) -> None:
    assert parse(text).matches(BERLIN)


@pytest.mark.parametrize(
    "text",
    [
        "site=Berlin",
        "line in (4, 5)",
        "line notin (3)",
        "!site",
        "spare",
        "site!=berlin",
        "memory_mb>4096",
        "nothing>0",
        "nothing<0",
        "site>0",
        "arch=x86_64",
        "agent_version>=1.11",
        "site=berlin, line=4",
    ],
)
def test_it_does_not_select(text: str) -> None:
    assert not parse(text).matches(BERLIN)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("site=", 6),
        ("site berlin", 6),
        ("=berlin", 1),
        ("line in 3", 9),
        ("line in (3", 11),
        ("line in ()", 10),
        ("memory_mb>=much", 12),
        ("agent_version>=new", 16),
        ("a,,b", 3),
        ("a=1,", 5),
        ("a=1 b=2", 5),
        ('a="b', 3),
        ("a=b c", 5),
        ("größe=1", 3),
        ("-a=1", 1),
        ("a=(b)", 3),
        ('a="\0"', 3),
    ],
)
def test_what_cannot_be_read_says_where(text: str, at: int) -> None:
    with pytest.raises(LinesideError) as raised:
        parse(text)
    assert (raised.value.code, raised.value.params["at"]) == ("selector.invalid", str(at))


def test_versions_compare_as_versions() -> None:
    numbers = [number_of("agent_version", text) for text in ("1.9", "1.9.1", "1.10", "1.10.0rc1", "2")]
    assert numbers == sorted(numbers)  # type: ignore[type-var]
    assert number_of("kernel", "6.1.0-13-amd64") == number_of("kernel", "6.1.0")
    assert number_of("site", "1.10.2") is None


KEYS = st.from_regex(KEY, fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=("C", "Z")) | st.sampled_from(' "\\,()=!<>'), max_size=8).filter(
    str.isprintable
)


@st.composite
def requirements(draw: st.DrawFn) -> Requirement:
    key = draw(st.sampled_from(["site", "line", "memory_mb", "agent_version"]) | KEYS)
    kind = draw(st.sampled_from(Operator))
    if kind in (Operator.HAS, Operator.HAS_NOT):
        return Requirement(key, kind)
    if kind in (Operator.IN, Operator.NOT_IN):
        return Requirement(key, kind, tuple(draw(st.lists(VALUES, min_size=1, max_size=4, unique=True))))
    if kind in (Operator.EQUALS, Operator.DIFFERS):
        return Requirement(key, kind, (draw(VALUES),))
    return Requirement(key, kind, (str(draw(st.integers(0, 99999))),))


SELECTORS = st.builds(lambda found: Selector(tuple(found)), st.lists(requirements(), max_size=5))
ATTRIBUTES = st.dictionaries(st.sampled_from(["site", "line", "memory_mb", "agent_version"]), VALUES)


@given(SELECTORS)
def test_what_is_written_reads_as_the_same(selector: Selector) -> None:
    read = parse(str(selector))
    assert str(read) == str(selector)
    assert [one.operator for one in read.requirements] == [one.operator for one in selector.requirements]


@given(SELECTORS, ATTRIBUTES)
def test_a_selector_is_all_of_its_requirements(selector: Selector, attributes: dict[str, str]) -> None:
    assert selector.matches(attributes) == all(one.holds(attributes) for one in selector.requirements)
    assert parse(str(selector)).matches(attributes) == selector.matches(attributes)


@given(st.text(max_size=60))
def test_any_text_is_a_selector_or_an_error_within_it(text: str) -> None:
    error = None
    try:
        found = parse(text)
    except LinesideError as raised:
        error = raised
    if error is None:
        assert parse(str(found)) == found
    else:
        assert error.code == "selector.invalid"
        assert 1 <= int(error.params["at"]) <= len(text) + 1
