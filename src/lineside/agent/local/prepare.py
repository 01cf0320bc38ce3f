"""From a local deployment as it was asked for to the overlay that comes of it: recipes read, artifacts found.

A recipe may name its artifacts as authors do (a bare name, `s3://…`, a placeholder). Each is looked for by file name,
in Greengrass's layout ARTIFACTS/NAME/VERSION/FILE and then as ARTIFACTS/FILE. What was found goes into the recipe by
digest, so that from here on it is a recipe like any other, only that nobody signed it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lineside.agent.bus.ports import LocalDeploymentRequest
from lineside.agent.local.model import LocalComponent, Overlay
from lineside.agent.local.overlay import apply, configured, local_target, with_components, without
from lineside.agent.updating.store import hash_file
from lineside.contract.deployment import ConfigurationUpdate
from lineside.contract.desired import Desired, DesiredComponent
from lineside.contract.errors import LinesideError
from lineside.contract.ids import canonical, digest_of, greengrass_digest, is_digest
from lineside.contract.recipes.builtin import builtin_digest, builtin_target, builtin_version, is_builtin
from lineside.contract.recipes.document import parse
from lineside.contract.recipes.findings import Strict
from lineside.contract.recipes.nodes import plain
from lineside.contract.recipes.reader import read_recipe
from lineside.contract.recipes.recipe import Recipe
from lineside.contract.recipes.versions import parse_version, satisfies

_SUFFIXES = (".json", ".yaml", ".yml")
_MOST_RECIPES = 500


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What comes of a request. `files`: where artifacts lie, by digest."""

    overlay: Overlay
    names: tuple[str, ...]
    files: dict[str, str] = {}


class _Found(msgspec.Struct, frozen=True):
    """A recipe of the request's folder."""

    recipe: Recipe
    data: bytes
    path: Path


def prepare(request: LocalDeploymentRequest, base: Desired, overlay: Overlay, platform: Mapping[str, str]) -> Prepared:
    """What a request makes of the overlay on `base`. Raises `local.…`, `recipe.…`, `artifact.digest_mismatch`."""
    found = _recipes(request.recipes, platform)
    present = {item.name: item for item in apply(base, overlay).components}
    wanted = {name: _version(name, version, found, present) for name, version in request.add.items()}
    _add_dependencies(wanted, found, present)
    for name in request.remove:
        if name not in present:
            raise LinesideError("local.component_unknown", name=name)
        overlay = without(overlay, name, base)
    files: dict[str, str] = {}
    items = [_local(name, wanted[name], request, base, present, overlay, files) for name in wanted]
    for name in sorted((set(request.merge) | set(request.reset) | set(request.run_with)) - set(wanted)):
        if name not in present or name in request.remove:
            raise LinesideError("local.component_unknown", name=name)
        items.append(_local(name, None, request, base, present, overlay, files))
    names = (*(item.component.name for item in items), *request.remove)
    if not names:
        raise LinesideError("local.nothing_to_do")
    return Prepared(overlay=with_components(overlay, items), names=tuple(sorted(set(names))), files=files)


def read_recipes(files: Sequence[Path], platform: Mapping[str, str]) -> dict[str, str]:
    """Names and versions in recipe files. Raises `local.file_unreadable`, `recipe.…`."""
    found = [_read(path, platform) for path in files]
    return {one.recipe.name: one.recipe.version for one in found}


# --- recipes ------------------------------------------------------------------------------------------------------


def _recipes(folder: str | None, platform: Mapping[str, str]) -> dict[tuple[str, str], _Found]:
    """Every recipe of a folder by name and version; those for other platforms are not there."""
    if not folder:
        return {}
    try:
        paths = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in _SUFFIXES)
    except OSError as error:
        raise LinesideError("local.file_unreadable", path=folder, why=error.strerror) from error
    if len(paths) > _MOST_RECIPES:
        raise LinesideError("local.bad_request", why=f"{folder} holds more than {_MOST_RECIPES} recipes")
    found = {}
    for path in paths:
        try:
            one = _read(path, platform)
        except LinesideError as error:
            if error.code != "recipe.no_platform":
                raise
            continue
        found[one.recipe.name, one.recipe.version] = one
    return found


def _read(path: Path, platform: Mapping[str, str]) -> _Found:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LinesideError("local.file_unreadable", path=path, why=error.strerror) from error
    return _Found(read_recipe(data, platform, local=True), data, path)


_Wanted = _Found | DesiredComponent | None  # a recipe of the folder, what is there already, or a built-in component


def _version(
    name: str, version: str, found: Mapping[tuple[str, str], _Found], present: Mapping[str, DesiredComponent]
) -> _Wanted:
    """What `name` at `version` is: from the folder, from the present document, or built in."""
    if (name, version) in found:
        return found[name, version]
    there = present.get(name)
    if there is not None and there.version == version:
        return there
    if is_builtin(name) and satisfies(builtin_version(name) or "", version or "*"):
        return None
    raise LinesideError("local.recipe_missing", name=name, version=version, folder="the recipe folder")


def _add_dependencies(
    wanted: dict[str, _Wanted], found: Mapping[tuple[str, str], _Found], present: Mapping[str, DesiredComponent]
) -> None:
    """What is needed and neither asked for nor there is taken from the folder, in its newest version that will do."""
    waiting = [item for item in wanted.values() if isinstance(item, _Found)]
    while waiting:
        for name, dependency in waiting.pop().recipe.dependencies.items():
            if name in wanted or name in present:
                continue
            fits = [key for key in found if key[0] == name and satisfies(key[1], dependency.requirement)]
            if fits:
                best = found[max(fits, key=lambda key: parse_version(key[1]))]
                wanted[name] = best
                waiting.append(best)


# --- components ---------------------------------------------------------------------------------------------------


def _local(
    name: str,
    wanted: _Wanted,
    request: LocalDeploymentRequest,
    base: Desired,
    present: Mapping[str, DesiredComponent],
    overlay: Overlay,
    files: dict[str, str],
) -> LocalComponent:
    """One component of the overlay; the artifacts that its recipe found are added to `files`."""
    update = ConfigurationUpdate(merge=request.merge.get(name, {}), reset=tuple(request.reset.get(name, ())))
    data = b""
    if isinstance(wanted, _Found):
        data = _with_digests(wanted, request.artifacts, files)
        recipe, target = wanted.recipe, local_target(name, wanted.recipe.version)
        item = DesiredComponent(name=name, version=recipe.version, target=target, recipe_digest=digest_of(data))
        item = msgspec.structs.replace(item, configuration_update=update)
    elif name in present:
        item, data = _kept(name, present, update, overlay)
    else:
        item = _builtin(name, update)
    if name in request.run_with:
        item = msgspec.structs.replace(item, run_with=request.run_with[name])
    return LocalComponent(component=item, since=base.revision, recipe=data)


def _kept(
    name: str,
    present: Mapping[str, DesiredComponent],
    update: ConfigurationUpdate,
    overlay: Overlay,
) -> tuple[DesiredComponent, bytes]:
    """A component that stays in its version and gets another configuration, and its recipe if nobody signed it."""
    own = overlay.components.get(name)
    if own is not None:  # what it was deployed with is in its running configuration already
        return msgspec.structs.replace(own.component, configuration_update=update), own.recipe
    return configured(present[name], update), b""


def _builtin(name: str, update: ConfigurationUpdate) -> DesiredComponent:
    return DesiredComponent(
        name=name,
        version=builtin_version(name) or "",
        target=builtin_target(name) or "",
        recipe_digest=builtin_digest(name) or "",
        configuration_update=update,
    )


# --- artifacts ----------------------------------------------------------------------------------------------------


def _with_digests(found: _Found, folder: str | None, files: dict[str, str]) -> bytes:
    """The recipe's bytes with every artifact by digest."""
    recipe = found.recipe
    digests = {}
    for artifact in recipe.artifacts:
        path = _artifact_file(folder, recipe, artifact.name)
        if path is not None:
            digests[artifact.name] = hash_file(path)
            files[digests[artifact.name]] = str(path)
            if artifact.digest and artifact.digest != digests[artifact.name]:
                raise LinesideError(
                    "artifact.digest_mismatch",
                    name=artifact.name,
                    expected=artifact.digest,
                    actual=digests[artifact.name],
                )
        elif not artifact.uri.startswith("lineside:") or not is_digest(artifact.digest):
            where = folder or "no artifact folder"
            raise LinesideError(
                "local.artifact_missing", file=artifact.name, name=recipe.name, version=recipe.version, folder=where
            )
    root = parse(found.data, Strict())
    return canonical(_filled(plain(root) if root is not None else {}, digests))


def _artifact_file(folder: str | None, recipe: Recipe, name: str) -> Path | None:
    if not folder:
        return None
    base = Path(folder)
    places = (base / recipe.name / recipe.version / name, base / name)
    return next((path for path in places if path.is_file()), None)


def _filled(document: dict[str, Any], digests: Mapping[str, str]) -> dict[str, Any]:
    """A recipe's document with URI and Digest of these artifacts written in, in every manifest."""

    def artifact(own: Any) -> Any:
        uri = next((value for key, value in own.items() if key.lower() == "uri"), "") if isinstance(own, dict) else ""
        name = str(uri).rsplit("/", 1)[-1]
        if name not in digests:
            return own
        kept = {key: value for key, value in own.items() if key.lower() not in ("uri", "digest", "algorithm")}
        digest = digests[name]
        uri = f"lineside:sha256/{digest.removeprefix('sha256:')}/{name}"
        return kept | {"URI": uri, "Digest": greengrass_digest(digest), "Algorithm": "SHA-256"}

    def manifest(own: Any) -> Any:
        return _each(own, "artifacts", artifact)

    filled: dict[str, Any] = _each(document, "manifests", manifest)
    return filled


def _each(node: Any, name: str, change: Callable[[Any], Any]) -> Any:
    """An object with every element of the list under a key changed."""
    if not isinstance(node, dict):
        return node
    return {
        key: [change(one) for one in value] if key.lower() == name and isinstance(value, list) else value
        for key, value in node.items()
    }
