"""What devices fetch: signed metadata, recipes, and the artifacts that their own desired document names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lineside.contract.desired import Desired
from lineside.contract.errors import LinesideError
from lineside.server.components import store
from lineside.server.components.service import Components
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.services import Core

_PREFIXED = re.compile(r"(?P<folder>.+/)(?P<hash>[0-9a-f]{64})\.(?P<name>[^/]+)")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True)
class Part:
    """Bytes of an object: `length` of its `size` bytes from `start` on; `partial` when a range was asked for."""

    chunks: Iterator[bytes]
    start: int
    length: int
    size: int
    partial: bool


class Downloads:
    """The devices' side of the components room; each call is a transaction of its own."""

    def __init__(self, core: Core, components: Components, desired: DesiredDocuments) -> None:
        self._core, self._components, self._desired = core, components, desired

    def metadata(self, name: str) -> bytes:
        """A TUF metadata file. Raises `request.not_found`."""
        return self._components.repository.read(name)

    def recipe(self, path: str) -> bytes:
        """The recipe at a TUF target path, with the hash before its file name (consistent snapshots) or without.

        Raises `request.not_found`.
        """
        prefixed = _PREFIXED.fullmatch(path)
        target = prefixed["folder"] + prefixed["name"] if prefixed else path
        with self._core.database.read() as session:
            row = store.by_target(session, target)
        if row is None or (prefixed and row.recipe_digest != f"sha256:{prefixed['hash']}"):
            raise LinesideError("request.not_found", what="target", name=path)
        return self._core.objects.get(row.recipe_digest)

    def artifact(self, device: str, digest: str, wanted: str | None) -> Part:
        """An artifact, or the part that a `Range` header names. Raises `artifact.not_desired`, `artifact.range`."""
        self._check_desired(device, digest)
        size = self._core.objects.size(digest)
        start, length = _range(wanted, size)
        chunks = self._core.objects.stream(digest, start, length)
        return Part(chunks, start, length, size, partial=wanted is not None and length < size)

    def _check_desired(self, device: str, digest: str) -> None:
        with self._core.database.read() as session:
            document: Desired = self._desired.desired(session, device)
            rows = store.by_recipe(session, (one.recipe_digest for one in document.components))
        if not any(artifact.digest == digest for row in rows for artifact in row.artifacts):
            raise LinesideError("artifact.not_desired", device=device, digest=digest)


def _range(header: str | None, size: int) -> tuple[int, int]:
    """(start, length) of one byte range (RFC 9110, 14.2). Other forms are ignored, as the RFC allows: all bytes."""
    matched = _RANGE.fullmatch(header.strip()) if header else None
    if matched is None or matched[0] == "bytes=-":
        return 0, size
    first, last = matched[1], matched[2]
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= size or end <= start:
        raise LinesideError("artifact.range", wanted=header, size=size)
    return start, end - start
