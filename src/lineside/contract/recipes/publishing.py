"""From a recipe as its author writes it to the one that devices get: JSON, each artifact by digest. Pure.

An author names an artifact in any way that ends in a file name (`s3://BUCKET_NAME/COMPONENT_NAME/COMPONENT_VERSION/x.py`,
a bare name); whoever publishes the recipe has the files. What comes out names them `lineside:sha256/HEX/NAME` and fills
`Digest` in, as Greengrass's cloud does. Everything else stays as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as AbstractMapping
from typing import Any

import msgspec

from lineside.contract.component import Artifact
from lineside.contract.errors import LinesideError
from lineside.contract.ids import canonical, greengrass_digest
from lineside.contract.recipes.artifacts import read_artifacts
from lineside.contract.recipes.check import check
from lineside.contract.recipes.document import parse
from lineside.contract.recipes.findings import Severity, Strict
from lineside.contract.recipes.header import read_header
from lineside.contract.recipes.nodes import Mapping, Node, Reading, Scalar, Sequence
from lineside.contract.recipes.reader import manifests
from lineside.contract.recipes.recipe import RecipeArtifact

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_SAID = 5  # errors of a recipe that are told at once
_OURS = ("uri", "digest", "algorithm")


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe for devices, and the artifacts that it names."""

    name: str
    version: str
    recipe: bytes
    artifacts: tuple[Artifact, ...]


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """Which component a recipe is of, and the files it needs, whatever the platform."""

    name: str
    version: str
    files: tuple[str, ...]


def listing(data: bytes) -> Listing:
    """What must be at hand to publish a recipe. Raises `component.recipe`."""
    _refuse_errors(data, local=True)
    reading, root = _read(data)
    header = read_header(reading, root)
    names = {artifact.name for artifact in _artifacts(reading, root)}
    return Listing(name=header.name, version=header.version, files=tuple(sorted(names)))


def published(data: bytes, files: AbstractMapping[str, Artifact]) -> Published:
    """The recipe with its artifacts taken from `files`, by name.

    Raises `component.recipe` when a device would refuse it, `component.artifact_missing`, `component.artifact_differs`
    when it already says another digest.
    """
    _refuse_errors(data, local=True)
    reading, root = _read(data)
    header = read_header(reading, root)
    wanted = _artifacts(reading, root)
    missing = sorted({artifact.name for artifact in wanted} - files.keys())
    if missing:
        raise LinesideError("component.artifact_missing", name=header.name, files=", ".join(missing))
    for artifact in wanted:
        if artifact.digest not in ("", files[artifact.name].digest):
            raise LinesideError("component.artifact_differs", name=artifact.name, digest=artifact.digest)
    recipe = canonical(_document(root, files))
    _refuse_errors(recipe, local=False)
    used = {artifact.name: files[artifact.name] for artifact in wanted}
    return Published(
        name=header.name, version=header.version, recipe=recipe, artifacts=tuple(used[name] for name in sorted(used))
    )


def _read(data: bytes) -> tuple[Reading, Mapping]:
    reading = Reading(Strict())
    root = parse(data, reading.findings)
    if root is None:
        raise LinesideError("recipe.invalid", why="it is not an object")
    return reading, root


def _artifacts(reading: Reading, root: Mapping) -> list[RecipeArtifact]:
    name = read_header(reading, root).name
    return [one for manifest in manifests(reading, root) for one in read_artifacts(reading, manifest, name, local=True)]


def _refuse_errors(data: bytes, *, local: bool) -> None:
    errors = [finding for finding in check(data, local=local) if finding.severity is Severity.ERROR]
    if errors:
        said = "; ".join(f"line {one.line}: {one.sentence.rstrip('.')}" for one in errors[:_SAID])
        more = f"; and {len(errors) - _SAID} more" if len(errors) > _SAID else ""
        raise LinesideError("component.recipe", errors=said + more)


def _document(root: Mapping, files: AbstractMapping[str, Artifact]) -> dict[str, Any]:
    """The whole recipe as values, its artifacts renamed."""
    return {
        key.text: [_manifest(item, files) for item in node.items]
        if key.text.lower() == "manifests" and isinstance(node, Sequence)
        else _value(node)
        for key, node in root.entries
    }


def _manifest(manifest: Node, files: AbstractMapping[str, Artifact]) -> Any:
    if not isinstance(manifest, Mapping):
        return _value(manifest)
    return {
        key.text: [_artifact(item, files) for item in node.items]
        if key.text.lower() == "artifacts" and isinstance(node, Sequence)
        else _value(node)
        for key, node in manifest.entries
    }


def _artifact(node: Node, files: AbstractMapping[str, Artifact]) -> Any:
    uri = node.get("URI") if isinstance(node, Mapping) else None
    if not isinstance(node, Mapping) or not isinstance(uri, Scalar):
        return _value(node)
    file = files[uri.text.rsplit("/", 1)[-1]]
    kept = {key.text: _value(item) for key, item in node.entries if key.text.lower() not in _OURS}
    return kept | {
        "URI": f"lineside:{file.digest.replace(':', '/')}/{file.name}",
        "Digest": greengrass_digest(file.digest),
        "Algorithm": "SHA-256",
    }


def _value(node: Node, *, texts: bool = False) -> Any:
    """A value for JSON. A number keeps its spelling, since `1.10` may be wanted as a text; so does all of `Setenv`."""
    if isinstance(node, Mapping):
        return {key.text: _value(item, texts=texts or key.text.lower() == "setenv") for key, item in node.entries}
    if isinstance(node, Sequence):
        return [_value(item, texts=texts) for item in node.items]
    if texts and node.value is not None:
        return node.text
    if isinstance(node.value, int | float) and not isinstance(node.value, bool) and _NUMBER.fullmatch(node.text):
        return msgspec.Raw(node.text.encode())
    return node.value
