"""A folder on this machine becomes a dataset version: only files the control plane lacks are sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from lineside.client.client import Client
from lineside.contract.dataset import ImportReport, ImportRequest
from lineside.contract.errors import LinesideError

Progress = Callable[[int, int, str], None]
"""Called with files done, files in all, and what is being done."""

_ASK = 1000  # digests asked about in one request


def upload_folder(
    client: Client, folder: Path, name: str, progress: Progress = lambda done, total, what: None
) -> ImportReport:
    """Send what is missing of a folder and import it. Hidden files and links that leave the folder are left out.

    Raises `client.folder_missing`, `client.folder_empty`, and whatever the import refuses.
    """
    if not folder.is_dir():
        raise LinesideError("client.folder_missing", folder=folder)
    files = _files(folder)
    if not files:
        raise LinesideError("client.folder_empty", folder=folder)
    digests: dict[str, str] = {}
    for number, file in enumerate(files, 1):
        digests[_text(file.relative_to(folder).as_posix())] = _digest(file)
        progress(number, len(files), "hashing")
    _send_missing(client, folder, digests, progress)
    return client.import_dataset(ImportRequest(name=name, files=digests))


def _files(folder: Path) -> list[Path]:
    inside = folder.resolve()
    return sorted(
        file
        for file in folder.rglob("*")
        if not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and file.is_file()
        and file.resolve().is_relative_to(inside)
    )


def _text(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise LinesideError("client.name_not_text", name=ascii(name)) from None
    return name


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def _send_missing(client: Client, folder: Path, digests: dict[str, str], progress: Progress) -> None:
    by_digest = {digest: folder / relative for relative, digest in digests.items()}
    wanted = list(by_digest)
    missing = [d for start in range(0, len(wanted), _ASK) for d in client.blobs_missing(wanted[start : start + _ASK])]
    for number, digest in enumerate(missing, 1):
        client.put_blob_file(by_digest[digest], digest)
        progress(number, len(missing), "sending")
