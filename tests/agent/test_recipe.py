"""Greengrass V2 recipes: what is understood, and what is refused by name."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.agent.components import artifact, recipe

from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.recipes.dependencies import start_order
from lineside.contract.recipes.reader import read_recipe
from lineside.contract.recipes.recipe import Dependency, Recipe

HERE = {"os": "linux", "architecture": "amd64"}

YAML = b"""
RecipeFormatVersion: 2020-01-25
componentname: com.example.Hello
ComponentVersion: '1.2.3'
ComponentConfiguration:
  DefaultConfiguration: {message: hi, since: 2024-01-01}
ComponentDependencies:
  com.example.Base: {versionRequirement: '>=1.0.0', DependencyType: SOFT}
Manifests:
  - Platform: {os: windows}
    Lifecycle: {run: dir}
  - Platform: {os: /linux|darwin/, architecture: '*'}
    Selections: [linux]
    Artifacts:
      - Uri: lineside:sha256/ab/hello.py
        Digest: LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=
        Algorithm: SHA-256
        Permission: {Execute: OWNER}
Lifecycle:
  setenv: {A: 1}
  Install:
    linux: {script: 'pip install x', Timeout: 900, skipif: onpath git}
    all: echo other
  RUN: python hello.py
"""


def test_yaml_with_a_bare_date_keys_of_any_case_and_selections() -> None:
    found = read_recipe(YAML, HERE)
    assert (found.name, found.version) == ("com.example.Hello", "1.2.3")
    assert found.default_configuration == {"message": "hi", "since": "2024-01-01"}
    assert found.dependencies == {"com.example.Base": Dependency(requirement=">=1.0.0", hard=False)}
    assert found.setenv == {"A": "1"}
    assert found.lifecycle["install"].script == "pip install x"
    assert found.lifecycle["install"].timeout == 900
    assert found.lifecycle["install"].skipif == "onpath git"
    assert found.lifecycle["run"].timeout == 0
    assert found.artifacts[0].name == "hello.py"
    assert found.artifacts[0].digest == digest_of(b"hello")
    assert found.artifacts[0].executable


def test_the_manifests_own_lifecycle_wins() -> None:
    document = recipe(Run="own") | {"Lifecycle": {"Run": "global"}}
    assert read_recipe(msgspec.json.encode(document), HERE).lifecycle["run"].script == "own"


def changed(**more: Any) -> dict[str, Any]:
    return recipe() | more


def manifest(**more: Any) -> dict[str, Any]:
    return changed(Manifests=[{"Platform": {"os": "linux"}} | more])


GOOD = artifact("a.bin", digest_of(b""))


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"{", "recipe.invalid"),
        (b"a: [", "recipe.invalid"),
        (b"- a\n", "recipe.invalid"),
        (changed(RecipeFormatVersion="2019-01-01"), "recipe.invalid"),
        (changed(ComponentName="../evil"), "recipe.invalid"),
        (changed(ComponentVersion="COMPONENT_VERSION"), "recipe.version"),
        (changed(ComponentType="aws.greengrass.plugin"), "recipe.unsupported"),
        (changed(ComponentSource="arn:aws:lambda:x"), "recipe.unsupported"),
        (changed(Manifests=[]), "recipe.invalid"),
        (changed(Manifests=[{"Platform": {"os": "darwin"}}]), "recipe.no_platform"),
        (changed(Manifests=[{"Platform": {"runtime": "aws_nucleus_lite"}}]), "recipe.no_platform"),
        (changed(ComponentDependencies={"x": {"VersionRequirement": "newest"}}), "recipe.version"),
        (manifest(Artifacts=[{"URI": "s3://bucket/x"}]), "recipe.unsupported"),
        (manifest(Artifacts=[GOOD | {"Digest": "----"}]), "recipe.invalid"),
        (manifest(Artifacts=[GOOD | {"Algorithm": "MD5"}]), "recipe.unsupported"),
        (manifest(Artifacts=[GOOD | {"Unarchive": "TAR"}]), "recipe.unsupported"),
        (manifest(Artifacts=[GOOD | {"URI": "lineside:sha256/ab/.."}]), "recipe.invalid"),
        (manifest(Lifecycle={"Run": "a", "Startup": "b"}), "recipe.invalid"),
        (manifest(Lifecycle={"Bootstrap": "a"}), "recipe.unsupported"),
        (manifest(Lifecycle={"Install": {"Script": "a", "RequiresPrivilege": True}}), "recipe.unsupported"),
        (manifest(Lifecycle={"Install": {"Script": "a", "Timeout": "soon"}}), "recipe.invalid"),
        (manifest(Lifecycle={"Install": {"Script": "a", "Timeout": -1}}), "recipe.invalid"),
    ],
)
def test_refused(document: Any, code: str) -> None:
    data = document if isinstance(document, bytes) else msgspec.json.encode(document)
    with pytest.raises(LinesideError) as caught:
        read_recipe(data, HERE)
    assert caught.value.code == code


def test_a_cycle_is_named() -> None:
    needs = {"a": "b", "b": "c", "c": "a"}
    recipes = {
        name: Recipe(name=name, version="1.0.0", dependencies={other: Dependency(requirement="*")})
        for name, other in needs.items()
    }
    with pytest.raises(LinesideError, match="a → b → c → a"):
        start_order(recipes)
