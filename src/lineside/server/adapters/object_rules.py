"""What every object store keeps to: names, digests, refusals."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path

from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_digest

CHUNK = 1 << 20
"""Bytes handed out at once when an object is streamed."""

PART = 16 << 20
"""Bytes of one part of an object in a bucket that is larger."""


class InPieces(ABC):
    """How a store reads that knows how large an object is, and can read a part of it."""

    @abstractmethod
    def size(self, digest: str) -> int:
        """How many bytes it has. Raises `request.not_found`."""

    @abstractmethod
    def _read(self, digest: str, start: int, length: int) -> bytes:
        """So many bytes, all of which are there."""

    def get(self, digest: str) -> bytes:
        """All the bytes."""
        return b"".join(self.stream(digest))

    def get_range(self, digest: str, start: int, length: int) -> bytes:
        """`length` bytes from `start`, fewer at the end of the object."""
        return b"".join(self.stream(digest, start, length))

    def stream(self, digest: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` in pieces, each read when it is asked for: whoever takes them may be slow, and no
        connection waits for them meanwhile."""
        left = max(0, self.size(digest) - start)
        return self._pieces(digest, start, left if length is None else min(left, length))

    def _pieces(self, digest: str, start: int, left: int) -> Iterator[bytes]:
        while left > 0:
            piece = self._read(digest, start, min(CHUNK, left))
            yield piece
            start, left = start + len(piece), left - len(piece)


def write_stream(path: Path, data: bytes | Iterable[bytes], limit: int | None, *, sync: bool = True) -> str:
    """Write a file, and with `sync` put it on the disk; its digest. Raises `blob.too_large`."""
    sha, written = hashlib.sha256(), 0
    with path.open("wb") as file:
        for piece in (data,) if isinstance(data, bytes) else data:
            written += len(piece)
            if limit is not None and written > limit:
                raise LinesideError("blob.too_large", limit=limit)
            sha.update(piece)
            file.write(piece)
        if sync:
            file.flush()
            os.fsync(file.fileno())
    return "sha256:" + sha.hexdigest()


def key_of(digest: str) -> str:
    """The name an object is kept under. Raises `request.invalid`."""
    if not is_digest(digest):
        raise LinesideError("request.invalid", why=f"{digest} is not a digest (sha256: and 64 hex digits)")
    digits = digest.removeprefix("sha256:")
    return f"sha256/{digits[:2]}/{digits}"


def check_digest(digest: str, expected: str | None) -> None:
    """Raises `blob.digest_mismatch`."""
    if expected is not None and digest != expected:
        raise LinesideError("blob.digest_mismatch", actual=digest, expected=expected)


def missing(digest: str) -> LinesideError:
    """`request.not_found`, about an object."""
    return LinesideError("request.not_found", what="blob", name=digest)
