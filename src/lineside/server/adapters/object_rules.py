"""What every object store keeps to: names, digests, refusals."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_digest

CHUNK = 1 << 20
"""Bytes handed out at once when an object is streamed."""

PART = 16 << 20
"""Bytes of one part of an object in a bucket that is larger."""


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
