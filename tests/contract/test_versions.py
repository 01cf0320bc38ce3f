"""npm-style requirements, by table and by property."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.contract.errors import LinesideError
from lineside.contract.recipes.versions import parse_version, satisfies

TABLE = [
    ("1.0.0", "1.0.0", True),
    ("1.0.1", "1.0.0", False),
    ("1.0.1", "=1.0.0", False),
    ("2.0.0", ">=2.0.0", True),
    ("2.0.3", ">= 2.0.3", True),
    ("1.9.9", ">=2.0.0", False),
    ("1.0.9", "~1.0.0", True),
    ("1.1.0", "~1.0.0", False),
    ("1.9.0", "^1.0.0", True),
    ("2.0.0", "^1.0.0", False),
    ("0.2.9", "^0.2.3", True),
    ("0.3.0", "^0.2.3", False),
    ("0.0.3", "^0.0.3", True),
    ("0.0.4", "^0.0.3", False),
    ("1.5.0", ">0.0.0 <3.0.0", True),
    ("3.0.0", ">0.0.0 <3.0.0", False),
    ("3.0.0", "<=3.0.0", True),
    ("4.0.0", "^1.0.0 || ^4.0.0", True),
    ("4.0.0", "*", True),
    ("4.0.0", "", True),
    ("1.0.0-rc.1", ">=0.9.0", False),
    ("1.0.0-rc.2", ">=1.0.0-rc.1", True),
    ("2.0.0-rc.1", "^1.0.0-rc.1", False),
    ("1.0.0", ">=1.0.0-rc.1", True),
    ("1.0.0+build.5", "1.0.0", True),
    # x-ranges and partial versions
    ("1.9.0", "1.x", True),
    ("2.0.0", "1.x", False),
    ("1.2.9", "1.2.*", True),
    ("1.3.0", "1.2.X", False),
    ("1.9.0", "1", True),
    ("2.0.0", "1", False),
    ("1.2.7", "1.2", True),
    ("0.1.0", "x", True),
    ("1.3.0", ">1.2", True),
    ("1.2.9", ">1.2", False),
    ("1.2.9", "<=1.2", True),
    ("1.3.0", "<=1.2", False),
    ("1.2.0", ">=1.2", True),
    ("1.1.9", "<1.2", True),
    ("1.2.0", "<1.2", False),
    ("1.2.9", "~1.2", True),
    ("1.9.0", "~1", True),
    ("2.0.0", "~1", False),
    ("1.2.9", "~>1.2.3", True),
    ("1.9.0", "^1.x", True),
    ("0.0.9", "^0.0", True),
    ("0.1.0", "^0.0", False),
    ("0.9.0", "^0.x", True),
    ("1.0.0", "^0.x", False),
    ("1.0.0", ">*", False),
    # hyphen ranges
    ("1.2.3", "1.2.3 - 2.3.4", True),
    ("2.3.4", "1.2.3 - 2.3.4", True),
    ("2.3.5", "1.2.3 - 2.3.4", False),
    ("1.2.0", "1.2 - 2.3.4", True),
    ("2.3.9", "1.2.3 - 2.3", True),
    ("2.4.0", "1.2.3 - 2.3", False),
    ("2.9.9", "1.2.3 - 2", True),
    ("3.0.0", "1.2.3 - 2", False),
    # spaces
    ("2.5.0", "  >=  2.0.3   <  3.0.0 ", True),
    ("3.0.0", ">= 2.0.3 < 3.0.0", False),
    ("2.5.0", ">=2.0.3<3.0.0", True),
    ("5.0.0", "1.x || >=4.0.0 <6.0.0", True),
    ("3.0.0", "1.x||>=4.0.0 <6.0.0", False),
    # pre-releases
    ("2.0.0-rc.1", "<2.0.0", False),
    ("2.0.0-rc.1", "^1.0.0", False),
    ("1.0.0-rc.1", "*", False),
    ("1.0.0-rc.1", ">=1.0.0-0", True),
    ("1.0.1-rc.1", ">=1.0.0-rc.1", False),
    ("1.2.3-beta.4", "~1.2.3-beta.2", True),
    ("1.2.4-beta.2", "~1.2.3-beta.2", False),
]


@pytest.mark.parametrize(("version", "requirement", "expected"), TABLE)
def test_satisfies(version: str, requirement: str, expected: bool) -> None:
    assert satisfies(version, requirement) is expected


REFUSED = ["one", ">=", "COMPONENT_VERSION", "1.0.0 -", "- 1.0.0", "1.2.3.4", "1..2", ">=<1", "1.0.0,2.0.0", "latest"]


@pytest.mark.parametrize("text", [*REFUSED, pytest.param("1" * 300, id="long")])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(LinesideError, match=r"recipe\.version"):
        satisfies("1.0.0", text)


@pytest.mark.parametrize(
    "text", ["1.0", "1", "01.2.3", "1.2.3.4", "1.x.0", "", "١.٢.٣", pytest.param("9" * 400, id="long")]
)
def test_a_version_has_three_numbers(text: str) -> None:
    with pytest.raises(LinesideError, match=r"recipe\.version"):
        parse_version(text)


@given(st.text(alphabet="0123456789.xX*-~^<>=| vab", max_size=24))
def test_any_requirement_is_read_or_refused_with_its_code(text: str) -> None:
    code = ""
    try:
        satisfies("1.2.3", text)
    except LinesideError as error:
        code = error.code
    assert code in ("", "recipe.version")


ORDER = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0"]


def test_precedence_is_that_of_semver_section_11() -> None:
    assert sorted(sorted(ORDER), key=parse_version) == ORDER


numbers = st.integers(0, 30)
versions = st.builds(lambda *core: ".".join(map(str, core)), numbers, numbers, numbers)


@given(versions, versions)
def test_comparators_agree_with_one_another(one: str, two: str) -> None:
    assert satisfies(one, f">={two}") is (satisfies(one, f">{two}") or satisfies(one, two))
    assert satisfies(one, f"<{two}") is not satisfies(one, f">={two}")
    if satisfies(one, f"~{two}"):
        assert satisfies(one, f">={two}")
        assert one.split(".")[:2] == two.split(".")[:2]


@given(versions, st.integers(0, 3), numbers, numbers)
def test_partial_versions_are_prefixes(version: str, shown: int, one: int, two: int) -> None:
    prefix = [one, two][: min(shown, 2)]
    text = ".".join([*map(str, prefix), "x"])
    assert satisfies(version, text) is (version.split(".")[: len(prefix)] == [str(number) for number in prefix])


@given(versions, versions, versions)
def test_a_hyphen_range_is_both_its_bounds(version: str, low: str, high: str) -> None:
    assert satisfies(version, f"{low} - {high}") is satisfies(version, f">={low} <={high}")


@given(versions)
def test_a_version_meets_every_range_that_begins_with_it(version: str) -> None:
    assert all(satisfies(version, sign + version) for sign in ("", "=", ">=", "<=", "^", "~"))
