"""A recipe's artifacts: files by name and digest.

A deployed recipe names each by `lineside:sha256/HEX/NAME` and its digest. A recipe for a local deployment may name it
in any way that ends in a file name (bare, `s3://…`, `greengrass:…`, with placeholders): the file is looked for in the
local artifact folder, and the digest may be absent or a placeholder.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from lineside.contract.ids import from_greengrass_digest
from lineside.contract.recipes.nodes import Mapping, Node, Reading
from lineside.contract.recipes.recipe import RecipeArtifact

FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!@=~,-]{0,199}")
"""Names of artifacts: long and rich enough for wheels, and nothing a shell or a file system minds."""

_NOT_LOCAL = ("docker", "http", "https", "arn")
_PERMISSIONS = ("NONE", "OWNER", "ALL")


def is_file_name(text: str) -> bool:
    """Whether `text` may name an artifact."""
    return FILE_NAME.fullmatch(text) is not None


def read_artifacts(reading: Reading, manifest: Mapping, name: str, *, local: bool) -> tuple[RecipeArtifact, ...]:
    """The artifacts of one manifest; `name` is the component's."""
    result: list[RecipeArtifact] = []
    names: set[str] = set()
    for node in reading.items(manifest, "Artifacts"):
        if not isinstance(node, Mapping):
            reading.invalid(node, "an artifact is not an object")
            continue
        artifact = _artifact(reading, node, name, local=local)
        folder = f"{PurePosixPath(artifact.name).stem}/" if artifact.unarchive == "ZIP" else artifact.name
        if names & {artifact.name, folder}:
            reading.invalid(node, f"two artifacts are unpacked or stored as {folder.rstrip('/')}")
        names |= {artifact.name, folder}
        result.append(artifact)
    return tuple(result)


def _artifact(reading: Reading, node: Mapping, name: str, *, local: bool) -> RecipeArtifact:
    reading.once(node, "an artifact")
    uri = reading.optional(node, "URI")
    if uri is None:
        reading.invalid(node, "an artifact has no URI")
        uri = ""
    file_name = uri.rsplit("/", 1)[-1]
    if _is_possible(reading, node, name, uri, local=local) and not is_file_name(file_name):
        reading.invalid(node.get("URI") or node, f"{file_name!r} is no file name")
    return RecipeArtifact(
        uri=uri,
        name=file_name,
        digest=_digest(reading, node, file_name, local=local),
        unarchive=_unarchive(reading, node, name),
        executable=_executable(reading, node),
    )


def _is_possible(reading: Reading, node: Mapping, name: str, uri: str, *, local: bool) -> bool:
    """Whether there is a way to the artifact; if not, it is reported."""
    scheme = uri.split(":", 1)[0].lower() if ":" in uri else ""
    if scheme == "lineside" or (local and scheme not in _NOT_LOCAL) or not uri:
        return bool(uri)
    what = f"an artifact from {scheme}:" if scheme else f"the artifact {uri}, which only a local deployment could find"
    reading.findings.error((node.get("URI") or node).place, "recipe.unsupported", name=name, what=what)
    return False


def _digest(reading: Reading, node: Mapping, file_name: str, *, local: bool) -> str:
    algorithm = node.get("Algorithm")
    if algorithm is not None and reading.text(algorithm, "Algorithm").upper() not in ("SHA-256", "SHA256"):
        what = "a digest other than SHA-256"
        reading.findings.error(algorithm.place, "recipe.unsupported", name=file_name, what=what)
    found: Node | None = node.get("Digest")
    try:
        return from_greengrass_digest(reading.text(found, "Digest")) if found is not None else _none(local)
    except ValueError:
        if not local:
            why = f"the Digest of {file_name} is missing or no SHA-256 in base64"
            reading.invalid(found or node, why)
        return ""


def _none(local: bool) -> str:
    if not local:
        raise ValueError("no digest")
    return ""


def _unarchive(reading: Reading, node: Mapping, name: str) -> str:
    found = node.get("Unarchive")
    kind = "NONE" if found is None else reading.text(found, "Unarchive").upper()
    if found is not None and kind not in ("NONE", "ZIP"):
        reading.findings.error(found.place, "recipe.unsupported", name=name, what=f"Unarchive {kind}")
    return kind


def _executable(reading: Reading, node: Mapping) -> bool:
    permission = reading.mapping(node, "Permission")
    for key in ("Read", "Execute"):
        found = permission.get(key)
        if found is not None and reading.text(found, key).upper() not in _PERMISSIONS:
            reading.invalid(found, f"the {key} permission is none of {', '.join(_PERMISSIONS)}")
    return (reading.optional(permission, "Execute") or "NONE").upper() != "NONE"
