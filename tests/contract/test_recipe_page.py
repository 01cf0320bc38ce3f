"""docs/recipes.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lineside.contract.recipes import keys
from lineside.contract.recipes.builtin import VERSIONS
from lineside.contract.recipes.check import check
from lineside.contract.recipes.recipe import DEFAULT_TIMEOUTS
from lineside.contract.recipes.variables import FIXED

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "recipes.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
HEAD = "RecipeFormatVersion: 2020-01-25\nComponentName: app\nComponentVersion: 1.0.0\n"


def as_recipe(example: str) -> str:
    """An example as a whole recipe."""
    if "RecipeFormatVersion" in example:
        return example
    return HEAD + example + ("" if "Manifests:" in example else "Manifests: [{}]\n")


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_its_examples_are_good_recipes(example: str) -> None:
    assert check(as_recipe(example).encode()) == []


def test_every_key_is_on_it() -> None:
    known = {*keys.RECIPE, *keys.MANIFEST, *keys.ARTIFACT, *keys.STEP, *keys.PROBE, *keys.LIFECYCLE, *keys.DEPENDENCY}
    assert not {key for key in known if not re.search(rf"\b{key}\b", PAGE)}


def test_every_time_out_is_on_it() -> None:
    for key in keys.LIFECYCLE:
        seconds = DEFAULT_TIMEOUTS.get(key.lower())
        if seconds:
            assert re.search(rf"`{key}` \|.*(\| {seconds:g} \||Time-out {seconds:g} \|)", PAGE), key


def test_every_variable_and_built_in_component_is_on_it() -> None:
    assert not [name for name in (*FIXED, *VERSIONS) if name not in PAGE]
