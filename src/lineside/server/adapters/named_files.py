"""Files by name, beside the objects: below a folder each, replaced and removed as their owner wants.

Nothing here is an object, and no name here reaches one: `kept/FOLDER/NAME`, while objects lie below `sha256/`.

LocalFiles   files below a folder of this machine
S3Files      names in the bucket of an `S3Objects`
MemoryFiles  the fake, for tests
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import obstore
from obstore.store import S3Store

from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of, is_name
from lineside.server.adapters.object_rules import CHUNK, PART, check_digest, write_stream

_PLACE = "kept"


class NamedFiles(Protocol):
    """Bytes by folder and name; both are names as `is_name` has them, else `request.invalid` is raised. A file that
    exists is whole."""

    def write(self, folder: str, name: str, data: Iterable[bytes], expected: str, limit: int) -> int:
        """Store a file, in the place of one of this name; its bytes. Raises `blob.digest_mismatch` when its digest is
        not `expected`, `blob.too_large` over `limit` bytes; nothing is kept then."""
        ...

    def stream(self, folder: str, name: str) -> Iterator[bytes]:
        """The bytes in pieces of at most `CHUNK`. Raises `request.not_found`."""
        ...

    def delete(self, folder: str, name: str) -> None:
        """Remove a file; nothing happens when it is not there."""
        ...

    def delete_all(self, folder: str) -> None:
        """Remove a folder with all its files; nothing happens when it is not there."""
        ...

    def folders(self) -> list[str]:
        """The folders that have files."""
        ...


class LocalFiles:
    """Files below `kept/` of a folder of this machine."""

    def __init__(self, folder: Path, incoming: Path) -> None:
        """`incoming` is on the same file system; who opens it removes what a crash left there."""
        self._folder, self._incoming = folder / _PLACE, incoming

    def write(self, folder: str, name: str, data: Iterable[bytes], expected: str, limit: int) -> int:
        target = self._folder / _checked(folder) / _checked(name)
        temporary = self._incoming / uuid.uuid4().hex
        try:
            check_digest(write_stream(temporary, data, limit), expected)
            size = temporary.stat().st_size
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(target)
            _sync(target.parent)
        finally:
            temporary.unlink(missing_ok=True)
        return size

    def stream(self, folder: str, name: str) -> Iterator[bytes]:
        try:
            file = (self._folder / _checked(folder) / _checked(name)).open("rb")
        except FileNotFoundError as error:
            raise _missing(name) from error
        return _pieces(file.read, file.close)

    def delete(self, folder: str, name: str) -> None:
        (self._folder / _checked(folder) / _checked(name)).unlink(missing_ok=True)

    def delete_all(self, folder: str) -> None:
        shutil.rmtree(self._folder / _checked(folder), ignore_errors=True)

    def folders(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return sorted(entry.name for entry in self._folder.iterdir())
        return []


class S3Files:
    """Names below `kept/` of a bucket's prefix."""

    def __init__(self, store: S3Store, incoming: Path, asking: Callable[[str], AbstractContextManager[None]]) -> None:
        """`asking` turns what the bucket answers into errors of ours."""
        self._store, self._incoming, self._asking = store, incoming, asking

    def write(self, folder: str, name: str, data: Iterable[bytes], expected: str, limit: int) -> int:
        key = _key(folder, name)
        temporary = self._incoming / uuid.uuid4().hex
        try:
            check_digest(write_stream(temporary, data, limit, sync=False), expected)
            size = temporary.stat().st_size
            with self._asking(name):
                obstore.put(self._store, key, temporary, use_multipart=size > PART, chunk_size=PART, max_concurrency=4)
        finally:
            temporary.unlink(missing_ok=True)
        return size

    def stream(self, folder: str, name: str) -> Iterator[bytes]:
        key = _key(folder, name)
        with self._asking(name):
            size = obstore.head(self._store, key)["size"]
        return self._pieces(key, name, size)

    def _pieces(self, key: str, name: str, size: int) -> Iterator[bytes]:
        for start in range(0, size, CHUNK):
            with self._asking(name):
                yield bytes(obstore.get_range(self._store, key, start=start, length=min(CHUNK, size - start)))

    def delete(self, folder: str, name: str) -> None:
        with self._asking(name), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, _key(folder, name))

    def delete_all(self, folder: str) -> None:
        with self._asking(folder):
            found = [one["path"] for some in obstore.list(self._store, f"{_PLACE}/{_checked(folder)}/") for one in some]
            for path in found:
                with contextlib.suppress(FileNotFoundError):
                    obstore.delete(self._store, path)

    def folders(self) -> list[str]:
        with self._asking(_PLACE):
            found = {one["path"].split("/")[1] for some in obstore.list(self._store, f"{_PLACE}/") for one in some}
        return sorted(found)


class MemoryFiles:
    """The fake: files in memory, with the same refusals."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, str], bytes] = {}

    def write(self, folder: str, name: str, data: Iterable[bytes], expected: str, limit: int) -> int:
        place, content = (_checked(folder), _checked(name)), b"".join(data)
        if len(content) > limit:
            raise LinesideError("blob.too_large", limit=limit)
        check_digest(digest_of(content), expected)
        self._files[place] = content
        return len(content)

    def stream(self, folder: str, name: str) -> Iterator[bytes]:
        content = self._files.get((_checked(folder), _checked(name)))
        if content is None:
            raise _missing(name)
        return (content[at : at + CHUNK] for at in range(0, len(content), CHUNK))

    def delete(self, folder: str, name: str) -> None:
        self._files.pop((_checked(folder), _checked(name)), None)

    def delete_all(self, folder: str) -> None:
        _checked(folder)
        self._files = {place: content for place, content in self._files.items() if place[0] != folder}

    def folders(self) -> list[str]:
        return sorted({folder for folder, _ in self._files})


def _pieces(read: Callable[[int], bytes], close: Callable[[], None]) -> Iterator[bytes]:
    try:
        while piece := read(CHUNK):
            yield piece
    finally:
        close()


def _key(folder: str, name: str) -> str:
    return f"{_PLACE}/{_checked(folder)}/{_checked(name)}"


def _checked(name: str) -> str:
    if not is_name(name):
        raise LinesideError("request.invalid", why=f"{name[:80]!r} is no name of a file or folder")
    return name


def _missing(name: str) -> LinesideError:
    return LinesideError("request.not_found", what="file", name=name)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
