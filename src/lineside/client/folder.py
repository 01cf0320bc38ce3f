"""A folder on this machine becomes a dataset version: only files the control plane lacks are sent."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from lineside.client.client import Client
from lineside.client.downloading import MARK
from lineside.client.known_digests import KnownDigests
from lineside.contract.dataset import ImportReport, ImportRequest
from lineside.contract.errors import LinesideError

Progress = Callable[[int, int, str], None]
"""Called with files done, files in all, and what is being done."""

T = TypeVar("T")

_ASK = 1000  # digests asked about in one request
_LOOK = 100  # pictures looked at in one
_PACK, _PACK_BYTES = 64, 4 << 20  # files sent in one, and the bytes of them that are in memory
_PATIENCE_S = 900.0
_THREADS = 4  # as many as a connection keeps open


def upload_folder(
    client: Client,
    folder: Path,
    name: str,
    progress: Progress = lambda done, total, what: None,
    *,
    known: KnownDigests | None = None,
    form: str | None = None,
) -> ImportReport:
    """Send what is missing of a folder and import it. Hidden files, but those of an export, and links that leave the
    folder are left out.

    `known` remembers digests of files between imports (`known_digests`); `form` says which format to read where the
    folder holds several. What was broken off goes on where it was. Raises `client.folder_missing`,
    `client.folder_empty`, and whatever the import refuses.
    """
    if not folder.is_dir():
        raise LinesideError("client.folder_missing", folder=folder)
    files = _files(folder)
    if not files:
        raise LinesideError("client.folder_empty", folder=folder)
    known = known or KnownDigests()
    digests: dict[str, str] = {}
    for number, file in enumerate(files, 1):
        digests[_text(file.relative_to(folder).as_posix())] = known.digest(file)
        progress(number, len(files), "hashing")
    _send_missing(client, folder, digests, progress)
    _look(client, list(dict.fromkeys(digests.values())), progress)
    progress(len(files), len(files), "importing")
    return _in_turn(lambda: client.import_dataset(ImportRequest(name=name, files=digests, format=form)))


def _in_turn(ask: Callable[[], T]) -> T:
    """What is answered, once the control plane has time; `dataset.busy` when it has none for a quarter of an hour."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return ask()
        except LinesideError as error:
            if error.code != "dataset.busy" or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.5, 1.0) * float(error.params.get("after", 3)))  # not all at the same time


def _files(folder: Path) -> list[Path]:
    """Hidden files are the system's and tools'; in a folder that an export wrote they are images that are called so."""
    inside, exported = folder.resolve(), (folder / MARK).is_file()
    return sorted(
        file
        for file in folder.rglob("*")
        if (exported or not any(part.startswith(".") for part in file.relative_to(folder).parts))
        and file.name != MARK
        and file.is_file()
        and file.resolve().is_relative_to(inside)
    )


def _text(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise LinesideError("client.name_not_text", name=ascii(name)) from None
    return name


def _send_missing(client: Client, folder: Path, digests: dict[str, str], progress: Progress) -> None:
    by_digest = {digest: folder / relative for relative, digest in digests.items()}
    missing = [digest for some in _batches(list(by_digest), _ASK) for digest in client.blobs_missing(list(some))]
    packs, done = list(_packs({digest: by_digest[digest] for digest in missing})), 0
    for pack, _ in zip(packs, _each(lambda some: _send(client, some), packs), strict=True):
        done += len(pack)
        progress(done, len(missing), "sending")


def _send(client: Client, pack: Mapping[str, Path]) -> None:
    if len(pack) > 1:
        client.put_blobs(pack)
    else:
        for digest, file in pack.items():
            client.put_blob_file(file, digest)


def _packs(files: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """Small files together, large ones, which are streamed, on their own."""
    pack: dict[str, Path] = {}
    size = 0
    for digest, file in files.items():
        more = file.stat().st_size
        if pack and (size + more > _PACK_BYTES or len(pack) == _PACK):
            yield pack
            pack, size = {}, 0
        pack[digest] = file
        size += more
    if pack:
        yield pack


def _look(client: Client, digests: Sequence[str], progress: Progress) -> None:
    """Have pictures decoded a hundred at a time, so that no request is long and a break costs little."""

    def look(some: Sequence[str]) -> int:
        return _in_turn(lambda: client.look_at_pictures(list(some)))

    done = 0
    batches = list(_batches(digests, _LOOK))
    for batch, _ in zip(batches, _each(look, batches), strict=True):
        done += len(batch)
        progress(done, len(digests), "looking")


def _each(act: Callable[[T], object], values: Sequence[T]) -> Iterator[object]:
    """Do something with each of many values, a few at once, in their order; an error ends it."""
    with ThreadPoolExecutor(_THREADS, "send") as threads:
        try:
            yield from threads.map(act, values)
        finally:
            threads.shutdown(cancel_futures=True)


def _batches(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
