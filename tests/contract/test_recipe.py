"""Greengrass V2 recipes: what is understood, and what is refused by name."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.recipes.reader import read_recipe
from lineside.contract.recipes.recipe import Dependency, Recipe
from tests.agent.components import artifact, recipe

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


def read(document: Any, *, local: bool = False, platform: dict[str, str] = HERE) -> Recipe:
    data = document if isinstance(document, bytes) else msgspec.json.encode(document)
    return read_recipe(data, platform, local=local)


def test_yaml_with_a_bare_date_keys_of_any_case_and_selections() -> None:
    found = read(YAML)
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


def yaml(*lines: str, configuration: str = "{}", version: str = "1.0.0", needs: str = "{}") -> bytes:
    """A recipe in YAML whose lifecycle is `lines`."""
    head = (
        "RecipeFormatVersion: 2020-01-25",
        "ComponentName: app",
        f"ComponentVersion: {version}",
        f"ComponentConfiguration: {{DefaultConfiguration: {configuration}}}",
        f"ComponentDependencies: {needs}",
        "Manifests:",
        "  - Lifecycle:",
    )
    return "\n".join([*head, *(f"      {line}" for line in lines)]).encode()


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01 10:00:00", "2024-01-01 10:00:00"),
        ("12:30", "12:30"),
        ("0644", "0644"),
        ("1.2.3", "1.2.3"),
        ("12", 12),
        ("-1_000", -1000),
        ("0x1F", 31),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("yes", True),
        ("Off", False),
        ("'yes'", "yes"),
        ("~", None),
        ("", None),
        ("!!str 12", "12"),
        ("[1, a, null]", [1, "a", None]),
        ("{1: a, true: b}", {"1": "a", "true": "b"}),
    ],
)
def test_what_a_yaml_value_means(written: str, meant: object) -> None:
    found = read(yaml("Run: x", configuration=f"{{value: {written}}}"))
    assert found.default_configuration == {"value": meant}


def test_texts_keep_their_spelling_where_a_text_is_wanted() -> None:
    found = read(yaml("Setenv: {A: 1.10, B: true, C: yes, D: , E: 007}", "Run: true", needs="{base: 1.10}"))
    assert found.setenv == {"A": "1.10", "B": "true", "C": "yes", "D": "", "E": "007"}
    assert found.lifecycle["run"].script == "true"
    assert found.dependencies["base"].requirement == "1.10"


def test_a_version_that_looks_like_a_number_is_refused_as_it_is_written() -> None:
    with pytest.raises(LinesideError) as caught:
        read(yaml("Run: x", version="1.10"))
    assert caught.value.params == {"text": "1.10"}


def test_anchors_and_aliases_are_followed() -> None:
    found = read(yaml("Setenv: &e {A: b}", "Run: {Script: x, Setenv: *e}"))
    assert found.lifecycle["run"].setenv == found.setenv == {"A": "b"}


def test_an_error_says_its_line() -> None:
    with pytest.raises(LinesideError, match=r"line 10"):
        read(yaml("Install:", "  Script: a", "  Timeout: soon"))


# --- manifests ------------------------------------------------------------------------------------------------------


def changed(**more: Any) -> dict[str, Any]:
    return recipe() | more


def manifest(**more: Any) -> dict[str, Any]:
    return changed(Manifests=[{"Platform": {"os": "linux"}} | more])


def chosen(*platforms: dict[str, Any], on: dict[str, str] = HERE) -> str:
    manifests = [{"Platform": platform, "Lifecycle": {"Run": str(at)}} for at, platform in enumerate(platforms)]
    return read(changed(Manifests=manifests), platform=on).lifecycle["run"].script


@pytest.mark.parametrize(
    ("platforms", "expected"),
    [
        (({"os": "windows"}, {"os": "linux"}, {}), "1"),
        (({}, {"os": "linux"}), "0"),
        (({"os": "all"},), "0"),
        (({"os": "any", "architecture": "ALL"},), "0"),
        (({"OS": "Linux", "Architecture": "AMD64"},), "0"),
        (({"architecture": "/arm|aarch64/"}, {"architecture": "/a.*64/"}), "1"),
        (({"os": "/lin/"}, {"os": "/lin.*/"}), "1"),
        (({"architecture.detail": "armv7l"}, {"architecture.detail": "*"}), "1"),
        (({"board": "jetson"}, {"os": None}), "1"),
        (({"runtime": "*"},), "0"),
        (({"runtime": "aws_nucleus_lite"},), "0"),
        (({"runtime": "aws_nucleus_lite"}, {"os": "linux"}), "1"),
        (({"runtime": "aws_nucleus_lite"}, {"os": "windows"}), "0"),
    ],
)
def test_the_first_manifest_for_this_platform_is_taken(platforms: tuple[dict[str, Any], ...], expected: str) -> None:
    assert chosen(*platforms) == expected


def test_a_device_may_say_more_of_itself() -> None:
    arm = {"os": "linux", "architecture": "arm", "architecture.detail": "armv7l", "board": "jetson"}
    assert chosen({"architecture.detail": "armv6l"}, {"board": "/jet.*/"}, on=arm) == "1"


def test_the_manifests_own_lifecycle_wins() -> None:
    document = recipe(Run="own") | {"Lifecycle": {"Run": "global"}}
    assert read(document).lifecycle["run"].script == "own"


def selected(lifecycle: Any, *selections: str, others: tuple[str, ...] = ()) -> dict[str, str]:
    manifests = [{"Platform": {"os": "linux"}, "Selections": selections}, {"Selections": others}]
    found = read(changed(Manifests=manifests, Lifecycle=lifecycle))
    return {key: step.script for key, step in found.lifecycle.items()}


GLOBAL = {"Install": {"debian": "apt", "alpine": {"Script": "apk"}, "all": "none"}, "Run": "go"}


def test_selections_choose_at_any_level_in_their_order() -> None:
    assert selected(GLOBAL, "alpine", "debian") == {"install": "apk", "run": "go"}
    assert selected(GLOBAL, others=("debian", "alpine")) == {"install": "none", "run": "go"}
    assert selected({"one": {"Run": "1"}, "two": {"Run": "2"}, "all": {"Run": "3"}}, "two") == {"run": "2"}
    assert selected({"one": {"Run": {"deep": "1", "all": "2"}}}, "one", "deep") == {"run": "1"}
    assert selected({"Run": {"Script": {"one": "1", "all": "2"}}}, "one") == {"run": "1"}


def test_what_only_other_manifests_select_is_left_out() -> None:
    assert selected({"Install": {"other": "x"}, "Run": "go"}, "mine", others=("other",)) == {"run": "go"}
    assert selected({"other": {"Run": "x"}}, "mine", others=("other",)) == {}


def test_a_list_under_lifecycle_is_read_as_one_object() -> None:
    assert read(manifest(Lifecycle=[{"install": "a"}, {"run": "b"}])).lifecycle.keys() == {"install", "run"}


# --- steps ----------------------------------------------------------------------------------------------------------


def test_every_step_has_its_default_time_out() -> None:
    steps = ("Install", "Run", "Shutdown", "Recover", "Bootstrap", "Probe", "GoldenInputs", "Uninstall")
    found = read(manifest(Lifecycle=dict.fromkeys(steps, "x"))).lifecycle
    assert {key: step.timeout for key, step in found.items()} == {
        "install": 120,
        "run": 0,
        "shutdown": 15,
        "recover": 60,
        "bootstrap": 120,
        "probe": 30,
        "goldeninputs": 60,
        "uninstall": 120,
    }
    assert read(manifest(Lifecycle={"Startup": "x"})).lifecycle["startup"].timeout == 120


def test_the_parts_of_a_step() -> None:
    step = {"script": "x", "Timeout": "5", "SETENV": {"A": 1}, "skipIf": "exists  /a b", "requiresPrivilege": "True"}
    found = read(manifest(Lifecycle={"Bootstrap": step})).lifecycle["bootstrap"]
    assert (found.script, found.timeout, found.setenv) == ("x", 5, {"A": "1"})
    assert (found.skipif, found.requires_privilege) == ("exists  /a b", True)


def test_the_extensions() -> None:
    found = read(
        manifest(Lifecycle={"Probe": {"Http": "http://127.0.0.1:{configuration:/port}/health"}, "SoakSeconds": 2})
    )
    assert found.lifecycle["probe"].http == "http://127.0.0.1:{configuration:/port}/health"
    assert found.soak_seconds == 2
    assert read(manifest(Lifecycle={"Run": "x"})).soak_seconds == 0


def test_an_empty_step_is_no_step() -> None:
    assert read(manifest(Lifecycle={"Run": "", "Install": None, "Shutdown": {"Script": " "}})).lifecycle == {}


# --- artifacts ------------------------------------------------------------------------------------------------------

GOOD = artifact("a.bin", digest_of(b""))
WHEEL = "pillow-12.0.0-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl"


@pytest.mark.parametrize(
    "uri",
    [
        "hello.py",
        "s3://bucket/path/hello.py",
        "greengrass:arn/hello.py",
        "s3://BUCKET_NAME/COMPONENT_NAME/{COMPONENT_VERSION}/hello.py",
        "file:///tmp/hello.py",
    ],
)
def test_a_local_recipe_names_artifacts_as_authors_do(uri: str) -> None:
    (found,) = read(manifest(Artifacts=[{"Uri": uri}]), local=True).artifacts
    assert (found.name, found.digest, found.uri) == ("hello.py", "", uri)


def test_a_local_recipes_digest_is_kept_when_it_is_one() -> None:
    assert read(manifest(Artifacts=[GOOD]), local=True).artifacts[0].digest == digest_of(b"")
    assert read(manifest(Artifacts=[GOOD | {"Digest": "----"}]), local=True).artifacts[0].digest == ""


def test_wheels_keep_their_names() -> None:
    assert read(manifest(Artifacts=[artifact(WHEEL, digest_of(b""))])).artifacts[0].name == WHEEL
    assert read(manifest(Artifacts=[artifact("a-1.0+cpu-py3-none-any.whl", digest_of(b""))])).artifacts


@pytest.mark.parametrize("execute", ["OWNER", "all"])
def test_execute_permission(execute: str) -> None:
    (found,) = read(manifest(Artifacts=[GOOD | {"Permission": {"Read": "ALL", "Execute": execute}}])).artifacts
    assert found.executable


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (changed(RecipeFormatVersion="2019-01-01"), "recipe.invalid"),
        (changed(RecipeFormatVersion=None), "recipe.invalid"),
        (changed(ComponentName="../evil"), "recipe.invalid"),
        (changed(ComponentName=None), "recipe.invalid"),
        (changed(ComponentName=["a"]), "recipe.invalid"),
        (changed(ComponentVersion="COMPONENT_VERSION"), "recipe.version"),
        (changed(ComponentVersion=" 1.0.0"), "recipe.version"),
        (changed(ComponentVersion="1.0.0/../.."), "recipe.version"),
        (changed(ComponentVersion="1.0.0-rc.tmp"), "recipe.invalid"),
        (changed(ComponentType="aws.greengrass.plugin"), "recipe.unsupported"),
        (changed(ComponentType="aws.greengrass.lambda"), "recipe.unsupported"),
        (changed(ComponentType="aws.greengrass.nucleus"), "recipe.unsupported"),
        (changed(ComponentSource="arn:aws:lambda:x"), "recipe.unsupported"),
        (changed(componentname="other"), "recipe.invalid"),
        (changed(Manifests=[]), "recipe.invalid"),
        (changed(Manifests={}), "recipe.invalid"),
        (changed(Manifests=["x"]), "recipe.invalid"),
        (changed(Manifests=[{"Platform": {"os": "darwin"}}]), "recipe.no_platform"),
        (changed(Manifests=[{"Platform": {"runtime": "other"}}]), "recipe.no_platform"),
        (changed(Manifests=[{"Platform": {"os": "/(/"}}]), "recipe.invalid"),
        (changed(Manifests=[{"Platform": {"os": "/" + "a" * 300 + "/"}}]), "recipe.invalid"),
        (changed(Manifests=[{"Platform": {"os": "/" + "(" * 9 + ".*" + ")*" * 9 + "b/"}}]), "recipe.invalid"),
        (changed(Manifests=[{"Platform": {"os": "/" + "a?" * 50 + "/"}}]), "recipe.invalid"),
        (changed(Manifests=[{"Platform": {"os": "/" + "a*" * 50 + "/"}}]), "recipe.invalid"),
        (changed(Manifests=[{"Platform": {"os": "windows"}}] * 101), "recipe.invalid"),
        (changed(Manifests=[{"Platform": "linux"}]), "recipe.invalid"),
        (changed(ComponentConfiguration={"DefaultConfiguration": [1]}), "recipe.invalid"),
        (changed(ComponentDependencies={"x": {"VersionRequirement": "newest"}}), "recipe.version"),
        (changed(ComponentDependencies={"x": {"DependencyType": "SOFTISH"}}), "recipe.invalid"),
        (changed(ComponentDependencies={"../x": "1.0.0"}), "recipe.invalid"),
        (changed(ComponentDependencies={"app": "1.0.0"}), "recipe.dependency_cycle"),
        (manifest(Artifacts=[{"URI": "s3://bucket/x"}]), "recipe.unsupported"),
        (manifest(Artifacts=[GOOD | {"URI": "docker:python:3"}]), "recipe.unsupported"),
        (manifest(Artifacts=[GOOD | {"URI": "hello.py"}]), "recipe.unsupported"),
        (manifest(Artifacts=[GOOD | {"URI": None}]), "recipe.invalid"),
        (manifest(Artifacts=["hello.py"]), "recipe.invalid"),
        (manifest(Artifacts=[GOOD | {"Digest": "----"}]), "recipe.invalid"),
        (manifest(Artifacts=[GOOD | {"Digest": None}]), "recipe.invalid"),
        (manifest(Artifacts=[GOOD | {"Algorithm": "MD5"}]), "recipe.unsupported"),
        (manifest(Artifacts=[GOOD | {"Unarchive": "TAR"}]), "recipe.unsupported"),
        (manifest(Artifacts=[GOOD | {"Permission": {"Execute": "GROUP"}}]), "recipe.invalid"),
        (manifest(Artifacts=[GOOD | {"URI": "lineside:sha256/ab/.."}]), "recipe.invalid"),
        (manifest(Artifacts=[GOOD | {"URI": "lineside:sha256/ab/a b"}]), "recipe.invalid"),
        (manifest(Artifacts=[GOOD | {"URI": "lineside:sha256/ab/-rf"}]), "recipe.invalid"),
        (manifest(Artifacts=[GOOD | {"URI": "lineside:sha256/ab/a\n"}]), "recipe.invalid"),
        (manifest(Artifacts=[GOOD, GOOD]), "recipe.invalid"),
        (
            manifest(Artifacts=[artifact(name, digest_of(b""), Unarchive="ZIP") for name in ("a.zip", "a.ZIP")]),
            "recipe.invalid",
        ),
        (manifest(Lifecycle="run"), "recipe.invalid"),
        (manifest(Lifecycle=["run"]), "recipe.invalid"),
        (manifest(Lifecycle=[{"run": "a"}, {"Run": "b"}]), "recipe.invalid"),
        (manifest(Lifecycle={"Run": "a", "run": "b"}), "recipe.invalid"),
        (manifest(Lifecycle={"Run": "a", "Startup": "b"}), "recipe.invalid"),
        (manifest(Lifecycle={"Run": ["a"]}), "recipe.invalid"),
        (manifest(Lifecycle={"Run": {"posix": "a"}}), "recipe.invalid"),
        (manifest(Lifecycle={"Run": {"Script": ["a"]}}), "recipe.invalid"),
        (manifest(Lifecycle={"Install": {"Script": "a", "RequiresPrivilege": "maybe"}}), "recipe.invalid"),
        (manifest(Lifecycle={"Install": {"Script": "a", "Timeout": "soon"}}), "recipe.invalid"),
        (manifest(Lifecycle={"Install": {"Script": "a", "Timeout": -1}}), "recipe.invalid"),
        (manifest(Lifecycle={"Install": {"Script": "a", "Timeout": "inf"}}), "recipe.invalid"),
        (manifest(Lifecycle={"Install": {"Script": "a", "Skipif": "missing /x"}}), "recipe.invalid"),
        (manifest(Lifecycle={"Install": {"Script": "a", "Setenv": {"A=B": "x"}}}), "recipe.invalid"),
        (manifest(Lifecycle={"Install": {"Script": "a", "Setenv": {"A": {}}}}), "recipe.invalid"),
        (manifest(Lifecycle={"Install": {"Http": "http://127.0.0.1/"}}), "recipe.invalid"),
        (manifest(Lifecycle={"Probe": {"Http": "http://127.0.0.1/", "Script": "x"}}), "recipe.invalid"),
        (manifest(Lifecycle={"Probe": {"Http": "http://example.com/"}}), "recipe.invalid"),
        (manifest(Lifecycle={"Probe": {"Http": "https://127.0.0.1/"}}), "recipe.invalid"),
        (manifest(Lifecycle={"Probe": {"Http": "http://127.0.0.1@example.com/"}}), "recipe.invalid"),
        (manifest(Lifecycle={"SoakSeconds": "long"}), "recipe.invalid"),
    ],
)
def test_refused(document: Any, code: str) -> None:
    with pytest.raises(LinesideError) as caught:
        read(document)
    assert caught.value.code == code


def test_what_is_only_for_another_platform_does_not_matter_here() -> None:
    other = {"Platform": {"os": "windows"}, "Artifacts": [{"URI": "docker:x"}], "Lifecycle": {"Run": {"a": "b"}}}
    assert read(changed(Manifests=[other, {"Lifecycle": {"Run": "x"}}])).lifecycle["run"].script == "x"
