"""A dataset version becomes a folder on this machine, in a format that other programs read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import msgspec

from lineside.client.client import Client
from lineside.contract.dataset import Counted
from lineside.contract.dataset_export import ExportListing
from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE

Progress = Callable[[int, int, str], None]
"""Called with files done, files in all, and what is being done."""

MARK = ".lineside-export.json"
"""The file that says of a folder which export it holds."""

_PACK = 50  # blobs asked for in one request
_THREADS = 4  # as many as a connection keeps open


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in the folder now; `fetched` files were not there before. `warnings` say what the format cannot."""

    dataset: str
    format: str
    folder: str
    files: int
    fetched: int
    warnings: tuple[Counted, ...] = ()


class _Mark(msgspec.Struct):
    dataset: str
    format: str


def download_folder(
    client: Client,
    dataset: str,
    form: str,
    folder: Path,
    progress: Progress = lambda done, total, what: None,
) -> Exported:
    """Write a dataset version into a new or empty folder. Each file gets its name when all of it is there and has the
    digest it should have; an export that broke off goes on when it is asked for again.

    Raises `client.folder_taken` when something else is in the folder, `cli.file_unwritable`, `dataset.path_refused` and
    `blob.digest_mismatch` when the answer is not what it should be, and what `Client` raises.
    """
    try:
        return _download(client, dataset, form, folder, progress)
    except OSError as error:
        raise LinesideError("cli.file_unwritable", file=folder, why=error.strerror or error) from error


def _download(client: Client, dataset: str, form: str, folder: Path, progress: Progress) -> Exported:
    listing = export_listing(client, dataset, form, progress)
    targets = {_place(folder, relative): digest for relative, digest in listing.files.items()}
    _claim(folder, _Mark(listing.dataset, listing.format))
    wanted: dict[str, list[Path]] = {}
    for number, (target, digest) in enumerate(targets.items(), 1):
        if not target.is_file() or _digest(target) != digest:
            wanted.setdefault(digest, []).append(target)
        progress(number, len(targets), "looking")
    done = 0
    for count in _fetched(client, wanted):
        done += count
        progress(done, len(wanted), "fetching")
    return Exported(
        dataset=listing.dataset,
        format=listing.format,
        folder=str(folder),
        files=len(targets),
        fetched=sum(map(len, wanted.values())),
        warnings=listing.warnings,
    )


def export_listing(client: Client, dataset: str, form: str, progress: Progress) -> ExportListing:
    """Asked for until all labels are written: a request writes for some seconds, and one batch at least."""
    progress(0, 1, "writing labels")
    while True:
        try:
            return client.export_dataset(dataset, form)
        except LinesideError as error:
            if error.code != "dataset.export_unfinished":
                raise
            progress(int(error.params["done"]), int(error.params["total"]), "writing labels")


def _place(folder: Path, relative: str) -> Path:
    """Where a file goes; never outside the folder, whatever was answered."""
    parts = relative.split("/")
    if not all(parts) or {".", ".."} & set(parts) or "\\" in relative or "\0" in relative or ":" in parts[0]:
        raise LinesideError("dataset.path_refused", path=relative)
    return folder.joinpath(*parts)


def _claim(folder: Path, mark: _Mark) -> None:
    if folder.exists() and any(folder.iterdir()) and _marked(folder) != mark:
        raise LinesideError("client.folder_taken", folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_bytes(msgspec.json.encode(mark))


def _marked(folder: Path) -> _Mark | None:
    try:
        return msgspec.json.decode((folder / MARK).read_bytes(), type=_Mark)
    except (OSError, *UNREADABLE):
        return None


def _fetched(client: Client, wanted: Mapping[str, list[Path]]) -> Iterator[int]:
    """Fetch blobs, a few packs at once; after each pack, how many it had."""
    digests = list(wanted)
    packs = [digests[start : start + _PACK] for start in range(0, len(digests), _PACK)]
    with ThreadPoolExecutor(_THREADS, "fetch") as threads:
        try:
            yield from threads.map(lambda pack: _fetch(client, pack, wanted), packs)
        finally:
            threads.shutdown(cancel_futures=True)


def _fetch(client: Client, pack: list[str], wanted: Mapping[str, list[Path]]) -> int:
    with closing(client.get_blobs(pack)) as answered:
        for digest in pack:
            found, pieces = next(answered, ("nothing", iter(())))
            if found != digest:
                raise LinesideError("blob.digest_mismatch", actual=found, expected=digest)
            first, *others = wanted[digest]
            _write(first, digest, pieces)
            for other in others:  # the same bytes under another name
                _write(other, digest, iter([first.read_bytes()]))
    return len(pack)


def _write(target: Path, digest: str, pieces: Iterator[bytes]) -> None:
    part, sha = target.with_name(f"{target.name}.{os.getpid()}.part"), hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as stream:
            for piece in pieces:
                sha.update(piece)
                stream.write(piece)
        actual = "sha256:" + sha.hexdigest()
        if actual != digest:
            raise LinesideError("blob.digest_mismatch", actual=actual, expected=digest)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()
