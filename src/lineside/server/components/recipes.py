"""The two recipes of a model, in the Greengrass V2 format (of 2020-01-25), and what any recipe depends on. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from lineside.contract.component import Artifact
from lineside.contract.configuration import FOLLOWS_KEY
from lineside.contract.ids import canonical, greengrass_digest
from lineside.contract.recipes.reader import read_recipe
from lineside.contract.recipes.recipe import RECIPE_FORMAT, Dependency
from lineside.contract.twin import TESTS_KEY

INFERENCE_ZIP = "inference.zip"

_HEAD = ("recipeformatversion", "componentname", "componentversion", "componentdependencies")

_CONFIGURATION = {
    "source": {"folder": "inbox"},
    "topic": "",
    "capture": {"uncertain": [0.2, 0.5], "random": 0.05, "per_hour": 200},
    "drift": {"every_minutes": 10},
    "threads": 0,
    "compare_every": 20,
}
_READY_SECONDS = 120  # to load a model and reproduce its golden outputs, on a slow card, beside others that start, too
_TEST_SECONDS = 180  # of the test of its own that the code carries for twins


def model_component(model: str) -> str:
    """The name of the component that carries a model's files."""
    return f"{model}.model"


def model_component_version(version: int) -> str:
    """The version of the component that carries a model version's files."""
    return f"{version}.0.0"


def inference_component(model: str) -> str:
    """The name of the component that runs a model."""
    return f"{model}.inference"


def model_recipe(model: str, version: int, artifacts: Iterable[Artifact]) -> bytes:
    """The recipe of a model's files: nothing to run, the artifacts are what it is."""
    manifest = {"Platform": {"os": "*"}, "Artifacts": [_artifact(one) for one in artifacts]}
    description = f"Model {model}, version {version}"
    return canonical(
        _recipe(model_component(model), model_component_version(version), description) | {"Manifests": [manifest]}
    )


def inference_recipe(model: str, version: str, code: Artifact) -> bytes:
    """The recipe of the code that runs whichever version of the model is deployed beside it."""
    files = model_component(model)
    return canonical(
        _recipe(inference_component(model), version, f"Runs model {model} on a device's images")
        | {
            "ComponentConfiguration": {
                "DefaultConfiguration": _CONFIGURATION | {FOLLOWS_KEY: [files], TESTS_KEY: _tests(files)}
            },
            "ComponentDependencies": {files: {"VersionRequirement": ">=1.0.0", "DependencyType": "HARD"}},
            "Manifests": [
                {
                    "Platform": {"os": "*"},
                    "Artifacts": [_artifact(code) | {"Unarchive": "ZIP"}],
                    "Lifecycle": _lifecycle(files),
                }
            ],
        }
    )


def dependencies(recipe: bytes) -> dict[str, Dependency]:
    """What a stored recipe depends on, which is the same on every platform."""
    document: dict[str, Any] = msgspec.json.decode(recipe)
    head = {key: value for key, value in document.items() if key.lower() in _HEAD}
    return read_recipe(canonical(head | {"Manifests": [{"Lifecycle": {}}]}), {"os": "linux"}).dependencies


def _recipe(name: str, version: str, description: str) -> dict[str, Any]:
    return {
        "RecipeFormatVersion": RECIPE_FORMAT,
        "ComponentName": name,
        "ComponentVersion": version,
        "ComponentDescription": description,
        "ComponentPublisher": "Lineside",
    }


def _lifecycle(files: str) -> dict[str, Any]:
    runtime = '"$LINESIDE_PYTHON" -m lineside.runtime'
    return {
        "Setenv": {"PYTHONPATH": "{artifacts:decompressedPath}/inference"},
        "Run": f'exec {runtime} run --model "{{{files}:artifacts:path}}" --work "{{work:path}}"',
        "Probe": {"Script": f'{runtime} probe --work "{{work:path}}"', "Timeout": _READY_SECONDS},
    }


def _tests(files: str) -> dict[str, Any]:
    """How long one image takes, measured on a twin."""
    script = f'exec "$LINESIDE_PYTHON" -m lineside.runtime bench --seconds 1 "{{{files}:artifacts:path}}"'
    return {"latency": {"Script": script, "Timeout": _TEST_SECONDS}}


def _artifact(artifact: Artifact) -> dict[str, Any]:
    return {
        "URI": f"lineside:{artifact.digest.replace(':', '/')}/{artifact.name}",
        "Digest": greengrass_digest(artifact.digest),
        "Algorithm": "SHA-256",
        "Unarchive": "NONE",
    }
