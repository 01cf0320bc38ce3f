"""Components that come with the agent."""

from __future__ import annotations

import pytest

from lineside.contract.ids import digest_of
from lineside.contract.recipes.builtin import (
    VERSIONS,
    builtin_digest,
    builtin_recipe,
    builtin_target,
    builtin_version,
    is_builtin,
)
from lineside.contract.recipes.reader import read_recipe
from lineside.contract.recipes.versions import satisfies

HERE = {"os": "linux", "architecture": "amd64"}


@pytest.mark.parametrize("name", VERSIONS)
def test_each_has_a_recipe_that_the_reader_accepts(name: str) -> None:
    data = builtin_recipe(name)
    assert data is not None
    found = read_recipe(data, HERE)
    assert (found.name, found.version) == (name, builtin_version(name))
    assert builtin_digest(name) == digest_of(data)
    assert builtin_target(name) == f"builtin/{name}-{VERSIONS[name]}.json"


@pytest.mark.parametrize("name", VERSIONS)
@pytest.mark.parametrize("requirement", ["^2.0.0", ">=2.0.0", ">=2.0.0 <3.0.0", "*"])
def test_the_requirements_that_recipes_in_the_field_write_are_met(name: str, requirement: str) -> None:
    assert satisfies(VERSIONS[name], requirement)


def test_only_those_are_built_in() -> None:
    assert not is_builtin("app")
    assert builtin_recipe("app") is builtin_version("app") is builtin_target("app") is builtin_digest("app") is None


def test_what_a_release_has_sent_to_devices_stays_what_it_is() -> None:
    # The digest is in desired documents: a change of these bytes needs a new version of the component.
    assert builtin_digest("aws.greengrass.Nucleus") == NUCLEUS_DIGEST


NUCLEUS_DIGEST = "sha256:871eff31300635d7f5c156e6ed4daaafb5c34a9d62fd0b073318f9f4aeb429c5"
