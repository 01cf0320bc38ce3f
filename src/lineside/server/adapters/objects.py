"""Objects: bytes by their SHA-256, kept forever under `sha256/ab/abcdef…`.

LocalObjects   files below a folder of this machine
S3Objects      a bucket (s3_objects.py)
MemoryObjects  the fake, for tests

An upload goes to `incoming/` first and gets its name only when all of it is there, is on the disk and has the digest it
was announced with. So a name that exists holds exactly the bytes it says, whatever was cut off and when.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

import obstore
from obstore.store import LocalStore

from lineside.contract.errors import LinesideError
from lineside.server.adapters.direct import DirectUploads
from lineside.server.adapters.named_files import LocalFiles, MemoryFiles, NamedFiles
from lineside.server.adapters.object_rules import CHUNK, InPieces, check_digest, key_of, missing, write_stream


@runtime_checkable  # handlers ask for one by this type
class ObjectStore(Protocol):
    """Bytes by digest (`sha256:<hex>`). Reading what is not there raises `request.not_found`."""

    @property
    def files(self) -> NamedFiles:
        """Files by name at the same place, which may be replaced and removed; none of them is an object."""
        ...

    @property
    def direct(self) -> DirectUploads | None:
        """What devices may put there themselves, where that is possible."""
        ...

    def put(self, data: bytes | Iterable[bytes], expected: str | None = None, limit: int | None = None) -> str:
        """Store bytes, or a stream of them, and return their digest. Storing the same bytes again changes nothing.

        Raises `blob.digest_mismatch` when the digest is not `expected`, `blob.too_large` over `limit` bytes; nothing is
        kept then.
        """
        ...

    def put_many(self, blobs: Iterable[tuple[str, Iterable[bytes]]], limit: int | None = None) -> int:
        """Store blobs that were announced by digest, each content taken before the next; how many they were.

        Raises what `put` does; of those before an error some may be stored.
        """
        ...

    def get(self, digest: str) -> bytes:
        """All the bytes."""
        ...

    def get_range(self, digest: str, start: int, length: int) -> bytes:
        """`length` bytes from `start`, fewer at the end of the object."""
        ...

    def stream(self, digest: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` in pieces of at most `CHUNK`; `length` None means to the end."""
        ...

    def exists(self, digest: str) -> bool:
        """Whether it is there."""
        ...

    def size(self, digest: str) -> int:
        """How many bytes it has."""
        ...

    def delete(self, digest: str) -> None:
        """Remove it; nothing happens when it is not there."""
        ...


class LocalObjects(InPieces):
    """Objects as files below a folder of this machine."""

    direct: DirectUploads | None = None

    def __init__(self, folder: Path) -> None:
        """Open the folder, make it when needed, and remove uploads that a crash cut off."""
        self._folder = folder
        self._incoming = folder / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        for left in self._incoming.iterdir():
            left.unlink()
        self._store = LocalStore(folder)
        self.files = LocalFiles(folder, self._incoming)

    def put(self, data: bytes | Iterable[bytes], expected: str | None = None, limit: int | None = None) -> str:
        temporary = self._incoming / uuid.uuid4().hex
        try:
            digest = write_stream(temporary, data, limit)
            check_digest(digest, expected)
            self._publish(temporary, digest)
        finally:
            temporary.unlink(missing_ok=True)
        return digest

    def put_many(self, blobs: Iterable[tuple[str, Iterable[bytes]]], limit: int | None = None) -> int:
        written: list[tuple[str, Path]] = []
        try:
            for expected, data in blobs:
                written.append((expected, self._incoming / uuid.uuid4().hex))
                check_digest(write_stream(written[-1][1], data, limit, sync=False), expected)
            for _, temporary in written:  # all are there by now: one commit of the file system's journal does for many
                _sync(temporary, os.O_RDONLY)
            for folder in {self._name(temporary, digest) for digest, temporary in written}:
                _sync(folder)
        finally:
            for _, temporary in written:
                temporary.unlink(missing_ok=True)
        return len(written)

    def _publish(self, temporary: Path, digest: str) -> None:
        _sync(self._name(temporary, digest))

    def _name(self, temporary: Path, digest: str) -> Path:
        """Give a file its name; the folder that must be put on the disk for it to last."""
        final = self._folder / key_of(digest)
        if not final.exists():
            if not final.parent.exists():
                final.parent.mkdir(parents=True, exist_ok=True)
                _sync(final.parent.parent)
            temporary.replace(final)
        return final.parent

    def _read(self, digest: str, start: int, length: int) -> bytes:
        return bytes(obstore.get_range(self._store, key_of(digest), start=start, length=length))

    def exists(self, digest: str) -> bool:
        return (self._folder / key_of(digest)).is_file()

    def size(self, digest: str) -> int:
        try:
            return obstore.head(self._store, key_of(digest))["size"]
        except FileNotFoundError as error:
            raise missing(digest) from error

    def delete(self, digest: str) -> None:
        (self._folder / key_of(digest)).unlink(missing_ok=True)


class MemoryObjects:
    """The fake: objects in memory, with the same refusals."""

    direct: DirectUploads | None = None

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self.files = MemoryFiles()

    def put(self, data: bytes | Iterable[bytes], expected: str | None = None, limit: int | None = None) -> str:
        content = data if isinstance(data, bytes) else b"".join(data)
        if limit is not None and len(content) > limit:
            raise LinesideError("blob.too_large", limit=limit)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        check_digest(digest, expected)
        self._objects[digest] = content
        return digest

    def put_many(self, blobs: Iterable[tuple[str, Iterable[bytes]]], limit: int | None = None) -> int:
        return sum(1 for digest, data in blobs if self.put(b"".join(data), digest, limit))

    def get(self, digest: str) -> bytes:
        key_of(digest)
        if digest not in self._objects:
            raise missing(digest)
        return self._objects[digest]

    def get_range(self, digest: str, start: int, length: int) -> bytes:
        return self.get(digest)[start : start + length]

    def stream(self, digest: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        content = self.get(digest)[start:] if length is None else self.get_range(digest, start, length)
        return (content[at : at + CHUNK] for at in range(0, len(content), CHUNK))

    def exists(self, digest: str) -> bool:
        key_of(digest)
        return digest in self._objects

    def size(self, digest: str) -> int:
        return len(self.get(digest))

    def delete(self, digest: str) -> None:
        key_of(digest)
        self._objects.pop(digest, None)


def _sync(path: Path, flags: int = os.O_RDONLY | os.O_DIRECTORY) -> None:
    """Put a folder on the disk, or with other `flags` a file."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
