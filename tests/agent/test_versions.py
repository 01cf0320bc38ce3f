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
]


@pytest.mark.parametrize(("version", "requirement", "expected"), TABLE)
def test_satisfies(version: str, requirement: str, expected: bool) -> None:
    assert satisfies(version, requirement) is expected


@pytest.mark.parametrize("text", ["1.0", "one", "1.0.0 - 2.0.0", ">=", "COMPONENT_VERSION"])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(LinesideError, match=r"recipe\.version"):
        satisfies("1.0.0", text)


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


@given(versions)
def test_a_version_meets_every_range_that_begins_with_it(version: str) -> None:
    assert all(satisfies(version, sign + version) for sign in ("", "=", ">=", "<=", "^", "~"))
