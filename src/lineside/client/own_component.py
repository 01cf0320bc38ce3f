"""A component of one's own: the recipe is read for the files it names, and what the control plane lacks is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from lineside.client.client import Client
from lineside.contract.component import AddComponent, Artifact, Component
from lineside.contract.errors import LinesideError
from lineside.contract.recipes.publishing import Listing, listing


def add_component(
    client: Client,
    recipe: Path,
    folder: Path | None = None,
    *,
    name: str | None = None,
    version: str | None = None,
    stage: bool = False,
) -> Component:
    """Add the component of a recipe file. Its artifacts lie in `folder`, or beside the recipe, or where Greengrass's
    tools put them: in `NAME/VERSION/` below `folder`, or below `artifacts/` beside the recipe or its folder.

    `name` and `version` stand for the placeholders {COMPONENT_NAME} and {COMPONENT_VERSION} of those tools' templates.
    Raises `cli.file_unreadable`, `component.…` and what `Client` raises.
    """
    data = _filled(_read(recipe), {"{COMPONENT_NAME}": name, "{COMPONENT_VERSION}": version})
    files = _files(listing(data), recipe, folder)
    artifacts = [_described(name, path) for name, path in files.items()]
    _send(client, artifacts, files)
    return client.add_component(AddComponent(recipe=data.decode("utf-8-sig"), artifacts=tuple(artifacts), stage=stage))


def _read(recipe: Path) -> bytes:
    try:
        data = recipe.read_bytes()
        data.decode()
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror or str(error)) if isinstance(error, OSError) else "it is not UTF-8"
        raise LinesideError("cli.file_unreadable", file=recipe, why=why) from error
    return data


def _filled(data: bytes, placeholders: Mapping[str, str | None]) -> bytes:
    for placeholder, value in placeholders.items():
        if value is not None:
            data = data.replace(placeholder.encode(), value.encode())
    return data


def _files(wanted: Listing, recipe: Path, folder: Path | None) -> dict[str, Path]:
    """Where each file lies."""
    beside = recipe.resolve().parent
    roots = [folder] if folder else [beside, beside / "artifacts", beside.parent / "artifacts"]
    places = [place for root in roots for place in (root, root / wanted.name / wanted.version)]
    found = {name: [place / name for place in places if (place / name).is_file()] for name in wanted.files}
    missing = [name for name, paths in found.items() if not paths]
    if missing:
        raise LinesideError("component.artifact_missing", name=wanted.name, files=", ".join(missing))
    return {name: paths[0] for name, paths in found.items()}


def _described(name: str, path: Path) -> Artifact:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Artifact(name=name, digest=f"sha256:{digest}", size=path.stat().st_size)


def _send(client: Client, artifacts: Iterable[Artifact], files: dict[str, Path]) -> None:
    where = {artifact.digest: files[artifact.name] for artifact in artifacts}
    if where:
        for digest in client.blobs_missing(list(where)):
            client.put_blob_file(where[digest], digest)
