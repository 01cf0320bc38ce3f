"""Objects: bytes by their SHA-256, kept forever under `sha256/ab/abcdef…`.

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
from lineside.contract.ids import is_digest

CHUNK = 1 << 20
"""Bytes handed out at once when an object is streamed."""


@runtime_checkable  # handlers ask for one by this type
class ObjectStore(Protocol):
    """Bytes by digest (`sha256:<hex>`). Reading what is not there raises `request.not_found`."""

    def put(self, data: bytes | Iterable[bytes], expected: str | None = None, limit: int | None = None) -> str:
        """Store bytes, or a stream of them, and return their digest. Storing the same bytes again changes nothing.

        Raises `blob.digest_mismatch` when the digest is not `expected`, `blob.too_large` over `limit` bytes; nothing is
        kept then.
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


class LocalObjects:
    """Objects as files below a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, make it when needed, and remove uploads that a crash cut off."""
        self._folder = folder
        self._incoming = folder / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        for left in self._incoming.iterdir():
            left.unlink()
        self._store = LocalStore(folder)

    def put(self, data: bytes | Iterable[bytes], expected: str | None = None, limit: int | None = None) -> str:
        temporary = self._incoming / uuid.uuid4().hex
        try:
            digest = _write(temporary, data, limit)
            _check(digest, expected)
            self._publish(temporary, digest)
        finally:
            temporary.unlink(missing_ok=True)
        return digest

    def _publish(self, temporary: Path, digest: str) -> None:
        final = self._folder / _key(digest)
        if final.exists():
            return
        if not final.parent.exists():
            final.parent.mkdir(parents=True, exist_ok=True)
            _sync_folder(final.parent.parent)
        temporary.replace(final)
        _sync_folder(final.parent)

    def get(self, digest: str) -> bytes:
        return b"".join(self.stream(digest))

    def get_range(self, digest: str, start: int, length: int) -> bytes:
        return b"".join(self.stream(digest, start, length))

    def stream(self, digest: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        left = max(0, self.size(digest) - start)
        left = left if length is None else min(left, length)
        return self._pieces(digest, start, left)

    def _pieces(self, digest: str, start: int, left: int) -> Iterator[bytes]:
        while left > 0:
            piece = bytes(obstore.get_range(self._store, _key(digest), start=start, length=min(CHUNK, left)))
            yield piece
            start, left = start + len(piece), left - len(piece)

    def exists(self, digest: str) -> bool:
        return (self._folder / _key(digest)).is_file()

    def size(self, digest: str) -> int:
        try:
            return obstore.head(self._store, _key(digest))["size"]
        except FileNotFoundError as error:
            raise _missing(digest) from error

    def delete(self, digest: str) -> None:
        (self._folder / _key(digest)).unlink(missing_ok=True)


class MemoryObjects:
    """The fake: objects in memory, with the same refusals."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}

    def put(self, data: bytes | Iterable[bytes], expected: str | None = None, limit: int | None = None) -> str:
        content = data if isinstance(data, bytes) else b"".join(data)
        if limit is not None and len(content) > limit:
            raise LinesideError("blob.too_large", limit=limit)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        _check(digest, expected)
        self._objects[digest] = content
        return digest

    def get(self, digest: str) -> bytes:
        _key(digest)
        if digest not in self._objects:
            raise _missing(digest)
        return self._objects[digest]

    def get_range(self, digest: str, start: int, length: int) -> bytes:
        return self.get(digest)[start : start + length]

    def stream(self, digest: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        content = self.get(digest)[start:] if length is None else self.get_range(digest, start, length)
        return (content[at : at + CHUNK] for at in range(0, len(content), CHUNK))

    def exists(self, digest: str) -> bool:
        _key(digest)
        return digest in self._objects

    def size(self, digest: str) -> int:
        return len(self.get(digest))

    def delete(self, digest: str) -> None:
        _key(digest)
        self._objects.pop(digest, None)


def _write(path: Path, data: bytes | Iterable[bytes], limit: int | None) -> str:
    """Write and fsync; returns the digest."""
    sha, written = hashlib.sha256(), 0
    with path.open("wb") as file:
        for piece in (data,) if isinstance(data, bytes) else data:
            written += len(piece)
            if limit is not None and written > limit:
                raise LinesideError("blob.too_large", limit=limit)
            sha.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return "sha256:" + sha.hexdigest()


def _key(digest: str) -> str:
    if not is_digest(digest):
        raise LinesideError("request.invalid", why=f"{digest} is not a digest (sha256: and 64 hex digits)")
    digits = digest.removeprefix("sha256:")
    return f"sha256/{digits[:2]}/{digits}"


def _check(digest: str, expected: str | None) -> None:
    if expected is not None and digest != expected:
        raise LinesideError("blob.digest_mismatch", actual=digest, expected=expected)


def _missing(digest: str) -> LinesideError:
    return LinesideError("request.not_found", what="blob", name=digest)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
