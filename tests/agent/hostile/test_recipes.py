"""Recipes that reach out, blow up or play with names: refused when they are read, before anything is fetched."""

from __future__ import annotations

import contextlib
import json
import resource
from typing import Any

import msgspec
import pytest

from lineside.agent.platforms import this_platform
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.recipes.reader import read_recipe
from tests.agent.components import artifact, recipe
from tests.agent.hostile.conftest import refused

DIGEST = digest_of(b"x")


def with_artifact(**changes: Any) -> dict[str, Any]:
    return recipe(artifacts=[artifact("file", DIGEST) | changes])


@pytest.mark.parametrize("name", ["..", ".", "a\nb", "a\0b", "", "a" * 300, "%2e%2e", "..%2fx", "a%00b", "a b", "~"])
def test_names_of_artifacts(name: str) -> None:
    uri = f"lineside:sha256/{DIGEST.removeprefix('sha256:')}/{name}"
    assert refused(with_artifact(URI=uri)) == "recipe.invalid"


@pytest.mark.parametrize("path", ["a/b", "../b", "/etc/b", "../../../b"])
def test_paths_of_artifacts_end_in_a_name_and_lead_nowhere_else(path: str) -> None:
    text = with_artifact(URI=f"lineside:sha256/{DIGEST.removeprefix('sha256:')}/{path}")
    assert [one.name for one in read_recipe(msgspec.json.encode(text), this_platform()).artifacts] == ["b"]


def test_two_artifacts_of_one_name() -> None:
    both = [artifact("file", DIGEST), artifact("file", digest_of(b"y"))]
    assert refused(recipe(artifacts=both)) == "recipe.invalid"


@pytest.mark.parametrize("digest", ["", "x", DIGEST, "A" * 44, "=" * 44, "AAAA", None])
def test_digests_that_are_none(digest: str | None) -> None:
    assert refused(with_artifact(Digest=digest)) == "recipe.invalid"


def test_the_digest_that_was_signed_counts_and_not_the_one_in_the_address() -> None:
    other = artifact("file", digest_of(b"y"))["Digest"]
    found = read_recipe(msgspec.json.encode(with_artifact(Digest=other)), this_platform())
    assert [one.digest for one in found.artifacts] == [digest_of(b"y")]


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-1", "none", ""])
def test_weak_algorithms(algorithm: str) -> None:
    assert refused(with_artifact(Algorithm=algorithm)) in ("recipe.invalid", "recipe.unsupported")


@pytest.mark.parametrize("name", ["..", "../app", "a/b", "/etc", "a\nb", "", "a" * 200, ".hidden/../x", "app\0"])
def test_names_of_components(name: str) -> None:
    assert refused(recipe(name)) == "recipe.invalid"


@pytest.mark.parametrize("version", ["..", "1.0.0/../..", "1.0.0\n", "1", "01.0.0", "1.0.0+" + "x" * 300, "", "a.b.c"])
def test_versions(version: str) -> None:
    assert refused(recipe("app", version)) in ("recipe.invalid", "recipe.version")


@pytest.mark.parametrize("level", [200, 5_000, 200_000])
@pytest.mark.parametrize("pair", ["[]", "{}"])
def test_deep_nesting(level: int, pair: str) -> None:
    opened = "[" if pair == "[]" else '{"a":'
    text = f'{{"ComponentName": {opened * level}1{pair[1] * level}}}'
    assert refused(text) == "recipe.invalid"
    yaml = "a: " + "[" * level + "]" * level
    assert refused(yaml) == "recipe.invalid"


def test_a_yaml_bomb() -> None:
    """A billion laughs: aliases of aliases."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 10) + "]" for n in range(1, 12)]
    assert refused("\n".join([*lines, "ComponentName: *a11"])) == "recipe.invalid"


def test_a_yaml_alias_that_holds_itself() -> None:
    assert refused("ComponentName: &a [*a]") == "recipe.invalid"
    assert refused("&a {x: *a}") == "recipe.invalid"


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system ['true']", "!!python/name:os.system", "!!binary aGk=", "!x y"]
)
def test_yaml_tags(tag: str) -> None:
    text = msgspec.yaml.encode(recipe()).decode().replace("ComponentName: app", f"ComponentName: {tag}")
    assert refused(text) == "recipe.invalid"


def test_several_documents() -> None:
    text = json.dumps(recipe())
    assert refused(f"{text}\n---\n{text}") == "recipe.invalid"
    assert refused(f"{text}{text}") == "recipe.invalid"


@pytest.mark.parametrize("key", ["ComponentName", "COMPONENTNAME", "componentname"])
def test_keys_that_are_given_twice(key: str) -> None:
    text = json.dumps(recipe())
    assert (
        refused(text.replace('{"RecipeFormatVersion"', f'{{"{key}": "other", "RecipeFormatVersion"', 1))
        == "recipe.invalid"
    )
    lifecycle = text.replace('"Run":', '"run": "true", "Run":')
    assert refused(lifecycle) == "recipe.invalid"


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\xff\xfe", b"null", b"[]", b'"x"', b"1e999", b"{", b"{}", b"\xef\xbb\xbf{}", b"a: b: c"]
)
def test_what_is_no_recipe(data: bytes) -> None:
    assert refused(data) == "recipe.invalid"


def test_a_recipe_of_many_megabytes() -> None:
    """It is refused before it is parsed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused(json.dumps(recipe() | {"ComponentDescription": "x" * (64 << 20)})) == "recipe.invalid"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 << 10  # the text itself is twice 64 MiB


def test_numbers_that_are_no_time_outs() -> None:
    wrong: list[Any] = [-1, 1e30, "inf", "nan", "1; rm -rf /", [], True]
    for seconds in wrong:
        assert refused(recipe(Run={"Script": "true", "Timeout": seconds})) == "recipe.invalid"


def test_a_platform_whose_pattern_never_ends() -> None:
    """A regular expression that backtracks for ages is refused or answered at once."""
    text = recipe(platform={"os": "linux", "architecture": "/(a+)+$/", "extra": "/(x+x+)+y/"})
    with contextlib.suppress(LinesideError):
        read_recipe(msgspec.json.encode(text), this_platform() | {"extra": "x" * 60})


def test_scripts_may_hold_anything_but_nothing_expands_them() -> None:
    found = read_recipe(msgspec.json.encode(recipe(Run="echo $(reboot) `x` {{y}} %s {0} \\n")), this_platform())
    assert found.lifecycle["run"].script == "echo $(reboot) `x` {{y}} %s {0} \\n"
