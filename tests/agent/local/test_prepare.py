"""From what was asked for to what is laid on top: recipes as authors write them, artifacts found by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lineside.agent.bus.ports import LocalDeploymentRequest
from lineside.agent.local.model import Overlay
from lineside.agent.local.prepare import Prepared, prepare
from lineside.contract.deployment import RunWith
from lineside.contract.desired import Desired, DesiredComponent
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of, greengrass_digest
from lineside.contract.recipes.reader import read_recipe
from tests.agent.components import recipe

LINUX = {"os": "linux", "architecture": "amd64"}
BASE = Desired(
    device="cell-1",
    revision=4,
    components=(DesiredComponent(name="line", version="1.0.0", target="apps/line-1.0.0.json", recipe_digest="d"),),
)


def place(folder: Path, *recipes: dict[str, Any], **files: bytes) -> LocalDeploymentRequest:
    """Recipes and artifacts on a stick; `a__b` is the file a.b."""
    (folder / "recipes").mkdir(exist_ok=True)
    (folder / "artifacts").mkdir(exist_ok=True)
    for one in recipes:
        name = f"{one['ComponentName']}-{one['ComponentVersion']}.json"
        (folder / "recipes" / name).write_text(json.dumps(one))
    for name, data in files.items():
        (folder / "artifacts" / name.replace("__", ".")).write_bytes(data)
    return LocalDeploymentRequest(recipes=str(folder / "recipes"), artifacts=str(folder / "artifacts"))


def ask(request: LocalDeploymentRequest, **changes: Any) -> Prepared:
    """Prepare it on top of a desired document with the component `line`."""
    known = {name: getattr(request, name) for name in ("recipes", "artifacts")}
    return prepare(LocalDeploymentRequest(**known, **changes), BASE, Overlay(), LINUX)


@pytest.mark.parametrize(
    "uri", ["code.bin", "s3://BUCKET/a/b/code.bin", "greengrass:UNIQUE/code.bin", "s3://X/COMPONENT/1.0.0/code.bin"]
)
def test_an_artifact_is_found_by_its_file_name_and_goes_into_the_recipe_by_digest(tmp_path: Path, uri: str) -> None:
    written = recipe("app", artifacts=[{"uri": uri, "Permission": {"Execute": "ALL"}, "Digest": "----"}])
    written["ComponentConfiguration"]["DefaultConfiguration"] = {"uri": uri, "artifacts": [{"uri": uri}]}
    found = ask(place(tmp_path, written, code__bin=b"bytes"), add={"app": "1.0.0"})
    own = found.overlay.components["app"]
    assert (own.component.target, own.since) == ("local/app-1.0.0", 4)
    assert own.component.recipe_digest == digest_of(own.recipe)
    read = read_recipe(own.recipe, LINUX)  # as any device reads any recipe
    assert [(one.name, one.digest, one.executable) for one in read.artifacts] == [
        ("code.bin", digest_of(b"bytes"), True)
    ]
    assert read.default_configuration == {"uri": uri, "artifacts": [{"uri": uri}]}
    assert found.files == {digest_of(b"bytes"): str(tmp_path / "artifacts" / "code.bin")}
    assert found.names == ("app",)


def test_greengrass_folders_come_before_plain_files(tmp_path: Path) -> None:
    request = place(tmp_path, recipe("app", artifacts=[{"URI": "code.bin"}]), code__bin=b"plain")
    own = tmp_path / "artifacts" / "app" / "1.0.0"
    own.mkdir(parents=True)
    (own / "code.bin").write_bytes(b"own")
    assert list(ask(request, add={"app": "1.0.0"}).files) == [digest_of(b"own")]


def test_what_it_depends_on_comes_along_in_the_newest_version_that_will_do(tmp_path: Path) -> None:
    helpers = [recipe("helper", version) for version in ("1.0.0", "1.2.0", "2.0.0")]
    app = recipe("app", dependencies={"helper": "^1.0.0", "line": "*", "aws.greengrass.Nucleus": "^2.0.0"})
    found = ask(place(tmp_path, app, *helpers), add={"app": "1.0.0"})
    chosen = {name: one.component.version for name, one in found.overlay.components.items()}
    assert chosen == {"app": "1.0.0", "helper": "1.2.0"}


def test_configuration_and_users_of_what_is_there_already(tmp_path: Path) -> None:
    request = place(tmp_path)
    found = ask(request, merge={"line": {"a": 1}}, reset={"line": ("/b",)}, run_with={"line": RunWith(posix_user="u")})
    own = found.overlay.components["line"].component
    assert (own.target, own.version) == ("apps/line-1.0.0.json", "1.0.0")
    assert own.configuration_update.merge == {"a": 1}
    assert own.configuration_update.reset == ("/b",)
    assert own.run_with == RunWith(posix_user="u")


def test_a_built_in_component_needs_no_recipe(tmp_path: Path) -> None:
    found = ask(place(tmp_path), add={"aws.greengrass.StreamManager": "^2.0.0"})
    assert found.overlay.components["aws.greengrass.StreamManager"].component.target.startswith("builtin/")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"add": {"app": "2.0.0"}}, "local.recipe_missing"),
        ({"add": {"other": "1.0.0"}}, "local.recipe_missing"),
        ({"remove": ("other",)}, "local.component_unknown"),
        ({"merge": {"other": {}}}, "local.component_unknown"),
        ({"remove": ("line",), "merge": {"line": {}}}, "local.component_unknown"),
        ({}, "local.nothing_to_do"),
    ],
)
def test_what_makes_no_sense_here_is_refused_by_name(tmp_path: Path, change: dict[str, Any], code: str) -> None:
    request = place(tmp_path, recipe("app"))
    with pytest.raises(LinesideError) as caught:
        ask(request, **change)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("artifact", "code"),
    [
        ({"URI": "gone.bin"}, "local.artifact_missing"),
        ({"URI": "code.bin", "Digest": greengrass_digest(digest_of(b"other"))}, "artifact.digest_mismatch"),
        ({"URI": "../../etc/passwd/.."}, "recipe.invalid"),
        ({"URI": "docker:image"}, "recipe.unsupported"),
    ],
)
def test_artifacts_that_are_not_what_the_recipe_says(tmp_path: Path, artifact: dict[str, Any], code: str) -> None:
    request = place(tmp_path, recipe("app", artifacts=[artifact]), code__bin=b"bytes")
    with pytest.raises(LinesideError) as caught:
        ask(request, add={"app": "1.0.0"})
    assert caught.value.code == code


def test_a_recipe_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LinesideError) as caught:
        ask(LocalDeploymentRequest(recipes=str(tmp_path / "none")), add={"app": "1.0.0"})
    assert caught.value.code == "local.file_unreadable"
