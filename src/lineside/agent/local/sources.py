"""Where the update thread gets bytes from: a local deployment's files, the bundle under way, else the control plane.

Everything is checked afterwards as if it had come over the network: signatures by `updating.trust`, digests by
`updating.store`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import msgspec

from lineside.agent.local.bundle_file import BundleFile
from lineside.agent.ports import ControlPlane, Download
from lineside.contract.bundle import artifact_path, metadata_path
from lineside.contract.errors import LinesideError, RemoteError
from lineside.contract.reading import UNREADABLE

_CHUNK = 1 << 18


class Sources:
    """Artifacts and TUF metadata for the executor. Used by the update thread only, `use` too."""

    def __init__(self, control: ControlPlane) -> None:
        self._control = control
        self._files: Mapping[str, str] = {}
        self._bundle: BundleFile | None = None
        self._path = ""

    def use(self, files: Mapping[str, str], bundle: str) -> None:
        """From here on these files by digest, and the bundle at this path (none: empty), come first."""
        self._files = files
        if bundle == self._path:
            return
        self.close()
        self._bundle = BundleFile(Path(bundle)) if bundle else None
        self._path = bundle

    def close(self) -> None:
        """Close the bundle."""
        if self._bundle is not None:
            self._bundle.close()
        self._bundle, self._path = None, ""

    def metadata(self, url: str) -> Iterator[bytes]:
        """See `ControlPlane.metadata`: that of the bundle under way, complete as it is, or the control plane's."""
        if self._bundle is None:
            return self._control.metadata(url)
        data = self._bundle.small(url)
        if data is None:
            raise RemoteError(LinesideError("request.not_found", what="file", name=url).report(), 404)
        return iter((data,))

    def judged_at(self) -> datetime | None:
        """For a bundle: a moment at which its timestamp and snapshot were fresh, else None (`contract.bundle`)."""
        return None if self._bundle is None else fresh_at(self._bundle)

    @contextmanager
    def artifact(self, digest: str, offset: int) -> Iterator[Download]:
        """See `ArtifactSource.artifact`."""
        file = self._files.get(digest)
        if file is not None:
            with _opened(Path(file)) as (content, size):
                begins = min(offset, size)
                content.seek(begins)
                yield Download(begins, size - begins, iter(lambda: content.read(_CHUNK), b""))
        elif self._bundle is not None and self._bundle.size(artifact_path(digest)) is not None:
            with self._bundle.content(artifact_path(digest), offset) as (left, chunks):
                yield Download(offset, left, chunks)
        else:
            with self._control.artifact(digest, offset) as download:
                yield download


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    try:
        content = path.open("rb")
    except OSError as error:
        raise LinesideError("local.file_unreadable", path=path, why=error.strerror) from error
    with content:
        yield content, path.stat().st_size


class _Meta(msgspec.Struct):
    version: int = 0


class _Signed(msgspec.Struct):
    expires: datetime
    meta: dict[str, _Meta] = {}


class _Envelope(msgspec.Struct):
    signed: _Signed


def fresh_at(bundle: BundleFile) -> datetime:
    """The last moment at which the bundle's timestamp and snapshot had not expired. Raises `bundle.incomplete`.

    What is read here is not believed yet: whoever changes it makes the signatures wrong.
    """
    timestamp = _read(bundle, "timestamp.json")
    version = timestamp.meta.get("snapshot.json", _Meta()).version
    snapshot = _read(bundle, f"{version}.snapshot.json")
    return min(timestamp.expires, snapshot.expires) - timedelta(seconds=1)


def _read(bundle: BundleFile, name: str) -> _Signed:
    data = bundle.small(metadata_path(name))
    if data is None:
        raise LinesideError("bundle.incomplete", what=metadata_path(name))
    try:
        return msgspec.json.decode(data, type=_Envelope).signed
    except UNREADABLE as error:
        raise LinesideError("bundle.invalid", why=f"{name}: {error}") from error
