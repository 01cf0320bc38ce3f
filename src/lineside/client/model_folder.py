"""A model version as a folder: its files, what is known about it, and a manifest with the digest of each file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lineside.client.client import Client
from lineside.contract.errors import Kind, LinesideError
from lineside.contract.ids import digest_of, is_name
from lineside.contract.model import ModelVersion, Variant
from lineside.contract.run import CurvePoint

MANIFEST = "manifest.json"
_PIECE = 1 << 20


class ExportedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the folder; `size` in bytes."""

    digest: str
    size: int


class ModelExport(msgspec.Struct, frozen=True, kw_only=True):
    """`manifest.json`: which model version the folder holds, and each of its files by path, but for itself."""

    schema: str = "lineside.model-export/1"
    model: str  # name:version
    digest: str  # of the file that ships
    ships: str  # its path
    files: dict[str, ExportedFile]


def export_folder(client: Client, model: ModelVersion, folder: Path) -> ModelExport:
    """Write a model version into a folder. What is there already and right is not fetched again; nothing that arrives
    with another digest than it should have is kept.

    Raises `cli.file_unwritable`, `artifact.digest_mismatch`, and what the client raises.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written: dict[str, ExportedFile] = {}
        for path, digest in _blobs(model):
            written[path] = _fetched(client, folder / path, digest)
        for path, content in _texts(client, model):
            written[path] = _written(folder / path, content)
        ships = next(variant_path(one) for one in model.variants if one.chosen)
        manifest = ModelExport(model=model.label, digest=model.digest, ships=ships, files=written)
        _written(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
        return manifest
    except OSError as error:
        raise LinesideError("cli.file_unwritable", file=folder, why=error.strerror or error) from error


def curves_of(client: Client, model: ModelVersion) -> list[CurvePoint]:
    """The training curves of the run that made it; none of one that was imported, or whose run is not here."""
    if model.lineage.run is None:
        return []
    try:
        return client.run_curves(model.lineage.run)
    except LinesideError as error:
        if error.kind is Kind.MISSING:
            return []
        raise


def variant_path(variant: Variant) -> str:
    """Where a variant's file lies in the folder."""
    return f"variants/{_named(variant)}.onnx"


def _named(variant: Variant) -> str:
    """What can name a file, whatever the variant is called."""
    return variant.name if is_name(variant.name) else variant.digest.removeprefix("sha256:")[:12]


def _blobs(model: ModelVersion) -> Iterator[tuple[str, str]]:
    """Path and digest of each blob of a version."""
    for variant in model.variants:
        yield variant_path(variant), variant.digest
        if variant.golden is not None:
            yield f"golden/{_named(variant)}.zip", variant.golden
    yield "golden/golden.zip", model.golden
    named = (("predictions", model.predictions), ("evaluation", model.evaluation), ("twin-report", model.twin_report))
    for name, digest in named:
        if digest is not None:
            yield f"{name}.json", digest


def _texts(client: Client, model: ModelVersion) -> Iterator[tuple[str, bytes]]:
    """What is known about it, as files."""
    yield "model.json", msgspec.json.format(msgspec.json.encode(model))
    yield "signature.json", msgspec.json.format(msgspec.json.encode(model.signature))
    yield "card.md", client.model_card(model.name, model.version).text.encode()
    aliases = [one for one in client.aliases(model.name) if one.version == model.version]
    yield "aliases.json", msgspec.json.encode(aliases)
    curves = curves_of(client, model)
    if curves:
        yield "curves.json", msgspec.json.encode(curves)


def _fetched(client: Client, target: Path, digest: str) -> ExportedFile:
    if not (target.is_file() and _digest(target) == digest):
        client.fetch_blob(digest, target)
        actual = _digest(target)
        if actual != digest:
            target.unlink()
            raise LinesideError("artifact.digest_mismatch", name=target.name, expected=digest, actual=actual)
    return ExportedFile(digest=digest, size=target.stat().st_size)


def _written(target: Path, content: bytes) -> ExportedFile:
    part = target.with_name(f"{target.name}.part")
    part.write_bytes(content)
    part.replace(target)
    return ExportedFile(digest=digest_of(content), size=len(content))


def _digest(file: Path) -> str:
    found = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            found.update(piece)
    return f"sha256:{found.hexdigest()}"
