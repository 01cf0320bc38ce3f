"""Dependencies: the newest version that meets everybody, or a refusal that names both."""

from __future__ import annotations

import pytest

from lineside.contract.deployment import ComponentSpec
from lineside.contract.errors import LinesideError
from lineside.contract.recipes.recipe import Dependency
from lineside.server.deployments.resolution import resolve

Needs = dict[str, str]


class Shelf:
    """Component versions and what each needs; a requirement that begins with `soft ` is SOFT."""

    def __init__(self, **components: dict[str, Needs]) -> None:
        self.components = components

    def versions(self, name: str) -> list[str]:
        return list(self.components.get(name, {}))

    def dependencies(self, name: str, version: str) -> dict[str, Dependency]:
        return {
            other: Dependency(requirement=text.removeprefix("soft "), hard=not text.startswith("soft "))
            for other, text in self.components[name][version].items()
        }


def resolved(shelf: Shelf, **named: str) -> dict[str, str]:
    specs = {name: ComponentSpec(component_version=version) for name, version in named.items()}
    return {name: spec.component_version for name, spec in resolve(specs, shelf).items()}


def test_what_dependencies_depend_on_comes_too():
    shelf = Shelf(
        a={"1.0.0": {"b": "^1.0.0"}}, b={"1.2.0": {"c": "*"}, "1.10.0": {"c": "*"}, "2.0.0": {}}, c={"0.1.0": {}}
    )
    assert resolved(shelf, a="1.0.0") == {"a": "1.0.0", "b": "1.10.0", "c": "0.1.0"}


def test_one_version_meets_every_requirement():
    shelf = Shelf(
        a={"1.0.0": {"c": ">=1.0.0", "b": "*"}},
        b={"1.0.0": {"c": "<2.0.0"}},
        c={"1.0.0": {}, "1.5.0": {}, "2.0.0": {"d": "*"}},
        d={"1.0.0": {}},
    )
    assert resolved(shelf, a="1.0.0") == {"a": "1.0.0", "b": "1.0.0", "c": "1.5.0"}


def test_a_named_version_is_kept_or_refused():
    shelf = Shelf(a={"1.0.0": {"b": "^1.0.0"}}, b={"1.0.0": {}, "1.1.0": {}, "2.0.0": {}})
    assert resolved(shelf, a="1.0.0", b="1.0.0") == {"a": "1.0.0", "b": "1.0.0"}
    with pytest.raises(LinesideError, match=r"a 1\.0\.0 needs b \^1\.0\.0, and the deployment names b 2\.0\.0"):
        resolved(shelf, a="1.0.0", b="2.0.0")


def test_a_hard_dependency_that_nothing_meets_is_refused_and_a_soft_one_left_out():
    with pytest.raises(LinesideError, match=r"a 1\.0\.0 needs b \^3\.0\.0, and no released version"):
        resolved(Shelf(a={"1.0.0": {"b": "^3.0.0"}}, b={"1.0.0": {}}), a="1.0.0")
    assert resolved(Shelf(a={"1.0.0": {"b": "soft ^3.0.0"}}, b={"1.0.0": {}}), a="1.0.0") == {"a": "1.0.0"}
    assert resolved(Shelf(a={"1.0.0": {"b": "soft *"}}, b={"1.0.0": {}}), a="1.0.0") == {"a": "1.0.0", "b": "1.0.0"}


def test_two_requirements_that_exclude_one_another_are_refused():
    shelf = Shelf(a={"1.0.0": {"c": "^1.0.0"}}, b={"1.0.0": {"c": "^2.0.0"}}, c={"1.0.0": {}, "2.0.0": {}})
    with pytest.raises(LinesideError, match=r"deployment\.dependency: . 1\.0\.0 needs c"):
        resolved(shelf, a="1.0.0", b="1.0.0")


def test_what_comes_with_the_agent_is_checked_and_not_added():
    assert resolved(Shelf(a={"1.0.0": {"aws.greengrass.Nucleus": "^2.0.0"}}), a="1.0.0") == {"a": "1.0.0"}
    with pytest.raises(LinesideError, match=r"needs aws\.greengrass\.Nucleus \^3\.0\.0"):
        resolved(Shelf(a={"1.0.0": {"aws.greengrass.Nucleus": "^3.0.0"}}), a="1.0.0")


def test_components_that_need_one_another_are_resolved():
    shelf = Shelf(a={"1.0.0": {"b": "*"}}, b={"1.0.0": {"a": "*"}})
    assert resolved(shelf, a="1.0.0") == {"a": "1.0.0", "b": "1.0.0"}
