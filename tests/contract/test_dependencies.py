"""In which order components start, and what they need."""

from __future__ import annotations

import itertools

import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.recipes.dependencies import check, start_order
from lineside.contract.recipes.recipe import Dependency, Recipe


def recipes(**needs: str) -> dict[str, Recipe]:
    """Components by name; each needs those named, `?` before a SOFT one, `@` before a requirement."""
    return {name: _recipe(name, text.split()) for name, text in needs.items()}


def _recipe(name: str, needs: list[str]) -> Recipe:
    parts = [(need.removeprefix("?").partition("@"), not need.startswith("?")) for need in needs]
    dependencies = {other: Dependency(requirement=text or "*", hard=hard) for (other, _, text), hard in parts}
    return Recipe(name=name, version="1.0.0", dependencies=dependencies)


def test_dependencies_start_first_hard_and_soft() -> None:
    assert start_order(recipes(a="b ?c", b="d", c="", d="")) == ["d", "b", "c", "a"]
    assert start_order(recipes(a="", b="", c="a")) == ["a", "b", "c"]
    assert start_order(recipes(a="missing", b="")) == ["a", "b"]


@pytest.mark.parametrize("soft", ["", "?"])
def test_a_cycle_is_named(soft: str) -> None:
    with pytest.raises(LinesideError, match="a → b → c → a"):
        start_order(recipes(a="b", b="c", c=f"{soft}a", d="a"))


def test_a_long_chain_is_no_trouble() -> None:
    names = [f"n{at:05}" for at in range(3000)]
    needs = dict(itertools.pairwise(names))
    assert start_order(recipes(**{name: needs.get(name, "") for name in names})) == names[::-1]


@pytest.mark.parametrize(
    ("needs", "code"),
    [
        ({"a": "b"}, "recipe.dependency_missing"),
        ({"a": "b@2.0.0", "b": ""}, "recipe.dependency_version"),
        ({"a": "?b@2.0.0", "b": ""}, "recipe.dependency_version"),
        ({"a": "b", "b": "a"}, "recipe.dependency_cycle"),
    ],
)
def test_a_set_that_cannot_be_met_is_refused(needs: dict[str, str], code: str) -> None:
    with pytest.raises(LinesideError) as caught:
        check(recipes(**needs))
    assert caught.value.code == code


def test_a_missing_soft_dependency_is_no_trouble() -> None:
    check(recipes(a="?b"))


def test_what_comes_with_the_agent_satisfies_dependencies() -> None:
    check(recipes(a="aws.greengrass.Nucleus@>=2.0.0 aws.greengrass.TokenExchangeService@^2.0.0"))
    with pytest.raises(LinesideError, match=r"recipe\.dependency_version"):
        check(recipes(a="aws.greengrass.Nucleus@^9.0.0"))
