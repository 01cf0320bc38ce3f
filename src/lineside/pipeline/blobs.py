"""Blobs on the worker's disk: fetched once, checked on arrival, sent only when the control plane lacks them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.ids import canonical, digest_of, is_digest
from lineside.pipeline.control import Control
from lineside.pipeline.files import digest_of_file, put_in_place, write_whole

T = TypeVar("T")


class Blobs:
    """A folder of blobs by digest in front of the control plane's."""

    def __init__(self, folder: Path, control: Control) -> None:
        self.folder = folder
        self._control = control
        folder.mkdir(parents=True, exist_ok=True)

    def missing(self, digests: Iterable[str]) -> list[str]:
        """Which of these are not on this disk, each once, in order."""
        return [digest for digest in dict.fromkeys(digests) if not self._place(digest).exists()]

    def path(self, digest: str) -> Path:
        """A blob as a local file; errors: request.not_found, blob.digest_mismatch."""
        place = self._place(digest)
        if place.exists():
            return place
        arrived = self._control.fetch_blob(digest, place.with_name(f"{place.name}.{os.getpid()}.arrived"))
        actual = digest_of_file(arrived)
        if actual != digest:
            arrived.unlink()
            raise LinesideError("blob.digest_mismatch", actual=actual, expected=digest)
        put_in_place(arrived, place)
        return place

    def value(self, digest: str, kind: type[T]) -> T:
        """A JSON blob, decoded."""
        return msgspec.json.decode(self.path(digest).read_bytes(), type=kind)

    def put(self, data: bytes) -> str:
        """Store bytes here and at the control plane; answers their digest."""
        digest = digest_of(data)
        if not self._place(digest).exists():
            write_whole(self._place(digest), data)
        return self._send(digest)

    def put_value(self, value: Any) -> str:
        """Store a value as canonical JSON; answers the digest."""
        return self.put(canonical(value))

    def put_file(self, file: Path) -> str:
        """Store a file here and at the control plane; answers its digest."""
        digest = digest_of_file(file)
        place = self._place(digest)
        if not place.exists():
            part = place.with_name(f"{place.name}.{os.getpid()}.part")
            shutil.copyfile(file, part)
            put_in_place(part, place)
        return self._send(digest)

    def _send(self, digest: str) -> str:
        if self._control.blobs_missing([digest]):
            self._control.put_blob_file(self._place(digest), digest)
        return digest

    def _place(self, digest: str) -> Path:
        if not is_digest(digest):
            raise LinesideError("request.invalid", why=f"{digest!r} is not a digest")
        return self.folder / digest.removeprefix("sha256:")
