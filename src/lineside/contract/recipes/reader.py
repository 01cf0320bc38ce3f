"""Component recipes in the AWS Greengrass V2 format, read for one platform.

Keys are read without regard to case, JSON or YAML. What Lineside does not do is refused by name rather than ignored:
plug-ins, Lambda, Docker images, privileged steps, bootstrap.
Source: AWS IoT Greengrass V2 component recipe reference (RecipeFormatVersion 2020-01-25).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

from lineside.contract.errors import LinesideError
from lineside.contract.ids import from_greengrass_digest, is_name
from lineside.contract.recipes.platforms import matches
from lineside.contract.recipes.recipe import (
    DEFAULT_TIMEOUTS,
    RECIPE_FORMAT,
    Dependency,
    Recipe,
    RecipeArtifact,
    StepScript,
)
from lineside.contract.recipes.versions import parse_version, satisfies

MAX_RECIPE_BYTES = 1 << 20


class _Loader(yaml.SafeLoader):
    """YAML in which `2020-01-25` stays text: real recipes write RecipeFormatVersion without quotes."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_recipe(data: bytes, platform: Mapping[str, str]) -> Recipe:
    """The recipe in `data` for a platform such as {"os": "linux", "architecture": "amd64"}.

    Raises `recipe.invalid`, `recipe.unsupported`, `recipe.no_platform`, `recipe.version`.
    """
    document = _document(data)
    name = _text(document, "ComponentName")
    if not is_name(name):
        raise LinesideError("recipe.invalid", why=f"{name!r} is no component name")
    version = _text(document, "ComponentVersion")
    parse_version(version)
    _refuse_unsupported(name, document)
    manifest = _manifest(name, document, platform)
    lifecycle = _lifecycle(document, manifest)
    configuration = _mapping(document, "ComponentConfiguration")
    return Recipe(
        name=name,
        version=version,
        description=str(_get(document, "ComponentDescription") or ""),
        publisher=str(_get(document, "ComponentPublisher") or ""),
        default_configuration=_mapping(configuration, "DefaultConfiguration"),
        dependencies=_dependencies(document),
        lifecycle=_steps(name, lifecycle),
        setenv=_environment(lifecycle),
        artifacts=tuple(_artifact(name, item) for item in _list(manifest, "Artifacts")),
    )


def _document(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_RECIPE_BYTES:
        raise LinesideError("recipe.invalid", why=f"it is larger than {MAX_RECIPE_BYTES} bytes")
    try:
        document = msgspec.json.decode(data) if data.lstrip()[:1] == b"{" else yaml.load(data, _Loader)
    except (msgspec.DecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise LinesideError("recipe.invalid", why=str(error).splitlines()[0]) from error
    if not isinstance(document, dict):
        raise LinesideError("recipe.invalid", why="it is not an object")
    if str(_get(document, "RecipeFormatVersion")) != RECIPE_FORMAT:
        raise LinesideError("recipe.invalid", why=f"RecipeFormatVersion is not {RECIPE_FORMAT}")
    return document


def _refuse_unsupported(name: str, document: dict[str, Any]) -> None:
    kind = str(_get(document, "ComponentType") or "aws.greengrass.generic").lower()
    if kind not in ("aws.greengrass.generic", "generic"):
        raise LinesideError("recipe.unsupported", name=name, what=f"the component type {kind}")
    if _get(document, "ComponentSource"):
        raise LinesideError("recipe.unsupported", name=name, what="a Lambda function (ComponentSource)")


def _manifest(name: str, document: dict[str, Any], platform: Mapping[str, str]) -> dict[str, Any]:
    """The first manifest whose platform is this device's."""
    manifests = _list(document, "Manifests")
    if not manifests:
        raise LinesideError("recipe.invalid", why=f"{name} has no Manifests")
    for manifest in manifests:
        if isinstance(manifest, dict) and matches(_mapping(manifest, "Platform"), platform):
            return manifest
    raise LinesideError("recipe.no_platform", name=name, platform=", ".join(f"{k} {v}" for k, v in platform.items()))


def _lifecycle(document: dict[str, Any], manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest's own lifecycle, or the recipe's with the manifest's selections taken."""
    own = _mapping(manifest, "Lifecycle")
    if own:
        return own
    selections = [str(item).lower() for item in _list(manifest, "Selections")]
    chosen = _select(_mapping(document, "Lifecycle"), [*selections, "all"])
    steps = chosen if isinstance(chosen, dict) else {}
    return {key: _select(value, [*selections, "all"]) for key, value in steps.items()}


def _select(value: Any, selections: list[str]) -> Any:
    """What the first matching selection key holds, or the value itself when it has none."""
    if not isinstance(value, dict):
        return value
    for selection in selections:
        found = _get(value, selection)
        if found is not None:
            return found
    return value


def _steps(name: str, lifecycle: dict[str, Any]) -> dict[str, StepScript]:
    steps = {
        key.lower(): _step(name, key.lower(), value)
        for key, value in lifecycle.items()
        if key.lower() in DEFAULT_TIMEOUTS and value is not None
    }
    if "bootstrap" in steps:
        raise LinesideError("recipe.unsupported", name=name, what="a Bootstrap step")
    if "run" in steps and "startup" in steps:
        raise LinesideError("recipe.invalid", why=f"{name} has both Run and Startup")
    return {key: step for key, step in steps.items() if step.script.strip()}


def _step(name: str, key: str, value: Any) -> StepScript:
    if isinstance(value, str):
        return StepScript(script=value, timeout=DEFAULT_TIMEOUTS[key])
    if not isinstance(value, dict):
        raise LinesideError("recipe.invalid", why=f"the {key} step of {name} is neither text nor an object")
    if str(_get(value, "RequiresPrivilege") or False).lower() == "true":
        raise LinesideError("recipe.unsupported", name=name, what=f"a privileged {key} step")
    skip = _get(value, "Skipif")
    return StepScript(
        script=str(_get(value, "Script") or ""),
        timeout=_seconds(name, key, _get(value, "Timeout")),
        setenv=_environment(value),
        skipif=None if skip is None else str(skip),
    )


def _seconds(name: str, key: str, value: Any) -> float:
    if value is None:
        return DEFAULT_TIMEOUTS[key]
    try:
        seconds = float(value)
    except (TypeError, ValueError) as error:
        raise LinesideError("recipe.invalid", why=f"the {key} time-out of {name} is no number") from error
    if not 0 <= seconds < float("inf"):
        raise LinesideError("recipe.invalid", why=f"the {key} time-out of {name} is no number of seconds")
    return seconds


def _environment(value: dict[str, Any]) -> dict[str, str]:
    return {str(key): str(item) for key, item in _mapping(value, "Setenv").items()}


def _dependencies(document: dict[str, Any]) -> dict[str, Dependency]:
    result = {}
    for name, value in _mapping(document, "ComponentDependencies").items():
        value = value if isinstance(value, dict) else {"VersionRequirement": value}
        requirement = str(_get(value, "VersionRequirement") or "*")
        satisfies("0.0.0", requirement)  # so that an unreadable requirement is refused here, by name
        kind = str(_get(value, "DependencyType") or "HARD").upper()
        result[str(name)] = Dependency(requirement=requirement, hard=kind != "SOFT")
    return result


def _artifact(name: str, item: Any) -> RecipeArtifact:
    if not isinstance(item, dict):
        raise LinesideError("recipe.invalid", why=f"an artifact of {name} is not an object")
    uri = _text(item, "URI")
    if not uri.startswith("lineside:"):
        raise LinesideError("recipe.unsupported", name=name, what=f"an artifact from {uri.split(':', 1)[0]}:")
    file_name = uri.rsplit("/", 1)[-1]
    if not is_name(file_name):
        raise LinesideError("recipe.invalid", why=f"{file_name!r} is no file name")
    unarchive = str(_get(item, "Unarchive") or "NONE").upper()
    if unarchive not in ("NONE", "ZIP"):
        raise LinesideError("recipe.unsupported", name=name, what=f"Unarchive {unarchive}")
    execute = str(_get(_mapping(item, "Permission"), "Execute") or "NONE").upper()
    return RecipeArtifact(
        uri=uri, name=file_name, digest=_digest(file_name, item), unarchive=unarchive, executable=execute != "NONE"
    )


def _digest(file_name: str, item: dict[str, Any]) -> str:
    if str(_get(item, "Algorithm") or "SHA-256").upper() != "SHA-256":
        raise LinesideError("recipe.unsupported", name=file_name, what="a digest other than SHA-256")
    try:
        return from_greengrass_digest(_text(item, "Digest"))
    except ValueError as error:
        raise LinesideError("recipe.invalid", why=f"the Digest of {file_name} is no SHA-256 in base64") from error


def _get(value: Mapping[str, Any], key: str) -> Any:
    """The value under a key, whatever its case; None when it is absent."""
    for own, item in value.items():
        if isinstance(own, str) and own.lower() == key.lower():
            return item
    return None


def _text(value: dict[str, Any], key: str) -> str:
    found = _get(value, key)
    if not isinstance(found, str):
        raise LinesideError("recipe.invalid", why=f"{key} is missing or no text")
    return found


def _mapping(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = _get(value, key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise LinesideError("recipe.invalid", why=f"{key} is not an object")
    return found


def _list(value: dict[str, Any], key: str) -> list[Any]:
    found = _get(value, key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise LinesideError("recipe.invalid", why=f"{key} is not a list")
    return found
