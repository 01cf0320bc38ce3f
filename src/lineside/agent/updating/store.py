"""The content-addressed store: `<root>/store/sha256/ab/abcdef…`. What is in it has been verified.

A download grows in `<root>/store/partial/<hex>.part`, is resumed after a break, hashed as a whole, and enters with one
rename. Shared files are stored once.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from lineside.agent import crash
from lineside.agent.attention import Attention
from lineside.agent.durable import make_directories, sync_directory
from lineside.agent.link.error import LinkError
from lineside.agent.ports import ArtifactSource, Download
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of

RESERVE = 16 << 20
"""Bytes that stay free on the device's disk."""


def free_bytes(path: Path) -> int:
    """Bytes an ordinary user may still write on the file system of `path`."""
    return shutil.disk_usage(path).free


class Progress:
    """Notices a download that trickles: less than `SLOWEST` bytes in `PATIENCE` seconds."""

    PATIENCE = 120.0
    SLOWEST = 4096

    def __init__(self, name: str) -> None:
        self._name = name
        self._since = time.monotonic()
        self._got = 0

    def count(self, received: int) -> None:
        """More bytes came. Raises `link.stalled`."""
        self._got += received
        now = time.monotonic()
        if self._got >= self.SLOWEST:
            self._since, self._got = now, 0
        elif now - self._since > self.PATIENCE:
            raise LinkError("link.stalled", name=self._name, got=self._got, seconds=f"{self.PATIENCE:g}")


class Store:
    """Verified files by digest below `root`. `free` tells the bytes that are free there."""

    def __init__(self, root: Path, free: Callable[[Path], int] = free_bytes) -> None:
        self._root = root
        self._objects = root / "sha256"
        self._partial = root / "partial"
        for folder in (self._objects, self._partial):
            make_directories(folder)
        self._free = free

    def path(self, digest: str) -> Path:
        """Where an object lies, or will lie."""
        value = digest.removeprefix("sha256:")
        return self._objects / value[:2] / value

    def has(self, digest: str) -> bool:
        """Whether the object is there."""
        return self.path(digest).is_file()

    def digests(self) -> frozenset[str]:
        """Every object that is there."""
        return frozenset(f"sha256:{path.name}" for path in self._objects.glob("??/*"))

    def read(self, digest: str) -> bytes:
        """The bytes of a small object."""
        return self.path(digest).read_bytes()

    def put(self, data: bytes) -> str:
        """Store bytes that were verified elsewhere; their digest."""
        digest = digest_of(data)
        if not self.has(digest):
            part = self._part(digest)
            part.write_bytes(data)
            self._enter(part, digest)
        return digest

    def fetch(
        self,
        source: ArtifactSource,
        digest: str,
        name: str,
        count: Callable[[int], None],
        attention: Attention | None = None,
    ) -> None:
        """Fetch an artifact unless it is there, from where an earlier try stopped; `count` learns the bytes received.

        What an earlier try left may be torn by a power cut: if the whole is wrong then, it is fetched once more from 0.
        Raises `artifact.digest_mismatch`, `store.no_space`, `link.stalled`, what `source` raises, and what
        `attention` raises: what was received until then stays, for the next try.
        """
        if self.has(digest):
            return
        part = self._part(digest)
        resumed = self._receive(source, digest, name, part, count, attention)
        actual = hash_file(part)
        if actual != digest and resumed:
            part.unlink()
            self._receive(source, digest, name, part, count, attention)
            actual = hash_file(part)
        if actual != digest:
            part.unlink()
            raise LinesideError("artifact.digest_mismatch", name=name, expected=digest, actual=actual)
        self._enter(part, digest)

    def _receive(
        self,
        source: ArtifactSource,
        digest: str,
        name: str,
        part: Path,
        count: Callable[[int], None],
        attention: Attention | None,
    ) -> bool:
        """Write what the source has to `part`; whether it only had to be completed."""
        offset = part.stat().st_size if part.exists() else 0
        with source.artifact(digest, offset) as download, _aborting(attention, download):
            self._check_space(name, download.remaining)
            mode = "ab" if download.offset else "wb"
            with part.open(mode) as file:
                if file.tell() != download.offset:
                    raise LinesideError("link.answer", status="a range not asked for", path=name)
                progress = Progress(name)
                for chunk in download.chunks:
                    if attention is not None:
                        attention.check()  # before the chunk is kept: after an abort it may be anything
                    file.write(chunk)
                    count(len(chunk))
                    progress.count(len(chunk))
                    crash.point("artifact.part")
            return download.offset > 0

    def _check_space(self, name: str, needed: int) -> None:
        free = self._free(self._root)
        if needed + RESERVE > free:
            raise LinesideError("store.no_space", name=name, needed=needed, free=free, root=self._root)

    def verify(self, digest: str) -> bool:
        """Whether a stored object still has its digest; one that has not is thrown away, to be fetched again."""
        path = self.path(digest)
        if not path.is_file():
            return False
        if hash_file(path) == digest:
            return True
        path.unlink()
        return False

    def remove(self, digests: frozenset[str]) -> None:
        """Remove objects."""
        for digest in digests:
            self.path(digest).unlink(missing_ok=True)

    def remove_partial(self) -> None:
        """Remove downloads that were broken off and never taken up again."""
        for part in self._partial.iterdir():
            part.unlink()

    def _part(self, digest: str) -> Path:
        return self._partial / f"{digest.removeprefix('sha256:')}.part"

    def _enter(self, part: Path, digest: str) -> None:
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.chmod(0o444)
        final = self.path(digest)
        make_directories(final.parent)
        part.replace(final)
        sync_directory(final.parent)
        sync_directory(self._objects)
        crash.point("artifact.stored")


def _aborting(attention: Attention | None, download: Download) -> AbstractContextManager[None]:
    return nullcontext() if attention is None else attention.aborting(download.abort)


def hash_file(path: Path) -> str:
    """The digest of a file, read in pieces."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
