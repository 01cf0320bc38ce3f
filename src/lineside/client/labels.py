"""Label files on this machine: captures for another tool go into a folder or a zip, and come back from one."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from lineside.client.client import Client
from lineside.contract.dataset_export import ExportListing
from lineside.contract.errors import LinesideError
from lineside.contract.review import LabelsReport, LabelsRequest

LABELS = (".json", ".jsonl", ".manifest", ".xml", ".csv", ".txt", ".yaml", ".yml", ".names", ".data")
"""How the files end that are sent; pictures stay here, the control plane has them."""

_MOST_BYTES, _MOST_FILES, _PACK = 256 << 20, 20_000, 50


def save_labels(client: Client, listing: ExportListing, to: Path) -> int:
    """Write an export into a new or empty folder, or into a new zip where the name ends so; how many files. Raises
    `client.folder_taken`, `cli.file_unwritable`, `dataset.path_refused`."""
    try:
        if to.suffix.casefold() == ".zip":
            with zipfile.ZipFile(to, "x") as archive:
                for path, data in _fetched(client, listing):
                    archive.writestr(path, data)
            return len(listing.files)
        if to.exists() and any(to.iterdir()):
            raise LinesideError("client.folder_taken", folder=to)
        for path, data in _fetched(client, listing):
            target = to.joinpath(*PurePosixPath(path).parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    except OSError as error:
        raise LinesideError("cli.file_unwritable", file=to, why=error.strerror or error) from error
    return len(listing.files)


def send_labels(client: Client, where: Path, form: str | None = None) -> LabelsReport:
    """Give the label files of a folder, of a zip or one file back. Raises `review.labels_refused` for an archive that
    is none, leads outside or unpacks to over 256 MiB, and what `Client` raises."""
    try:
        files = _read(where)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        why = getattr(error, "strerror", None) or error
        raise LinesideError("review.labels_refused", why=f"{where}: {why}") from error
    if not files:
        raise LinesideError("review.labels_refused", why=f"{where} has no label file")
    stored = {path: client.put_blob(data) for path, data in files.items()}
    return client.import_labels(LabelsRequest(files=stored, format=form))


def _fetched(client: Client, listing: ExportListing) -> Iterator[tuple[str, bytes]]:
    for path in listing.files:
        parts = path.split("/")
        if not all(parts) or {".", ".."} & set(parts) or "\\" in path or ":" in parts[0]:
            raise LinesideError("dataset.path_refused", path=path)
    digests = list(dict.fromkeys(listing.files.values()))
    for at in range(0, len(digests), _PACK):
        for digest, pieces in client.get_blobs(digests[at : at + _PACK]):
            data = b"".join(pieces)
            yield from ((path, data) for path, one in listing.files.items() if one == digest)


def _read(where: Path) -> dict[str, bytes]:
    if where.is_dir():
        paths = [path for path in where.rglob("*") if path.is_file() and path.name.casefold().endswith(LABELS)]
        return {path.relative_to(where).as_posix(): path.read_bytes() for path in paths}
    if not zipfile.is_zipfile(where):
        return {where.name: where.read_bytes()}
    with zipfile.ZipFile(where) as archive:
        entries = [one for one in archive.infolist() if one.filename.casefold().endswith(LABELS)]
        if len(entries) > _MOST_FILES or sum(one.file_size for one in entries) > _MOST_BYTES:
            raise LinesideError("review.labels_refused", why=f"{where} holds over {_MOST_BYTES >> 20} MiB of labels")
        return {one.filename: _unpacked(archive, one) for one in entries}


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Never more than the archive says: one that lies about its size is refused."""
    with archive.open(entry) as stream:
        data = stream.read(entry.file_size + 1)
    if len(data) > entry.file_size:
        raise LinesideError("review.labels_refused", why=f"{entry.filename} is larger than its archive says")
    return data
