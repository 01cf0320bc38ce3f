"""Reading a bundle that anybody may have made: entries by exact name, so much of each and no more, nothing unpacked.

Nothing in here believes anything; `lineside.agent.local.bundles` checks who signed it.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lineside.contract.bundle import DOCUMENT, MAX_DOCUMENT_BYTES, MAX_ENTRIES, Bundle, artifact_path, read_bundle
from lineside.contract.errors import LinesideError

_DIRECTORY_BYTES = MAX_ENTRIES * 128  # of the ZIP's own directory, which zipfile reads into memory as a whole
_DIRECTORY_SIZE = 5  # where zipfile's end record says how long the directory is
_CHUNK = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError)


class BundleFile:
    """An open bundle. Close it."""

    def __init__(self, path: Path) -> None:
        """Raises `bundle.invalid`, `local.file_unreadable`."""
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise LinesideError("local.file_unreadable", path=path, why=error.strerror) from error
        try:
            _check_directory(self._file)
            self._zip = zipfile.ZipFile(self._file)
            if len(self._zip.filelist) > MAX_ENTRIES:
                raise LinesideError("bundle.invalid", why=f"it has more than {MAX_ENTRIES} entries")
        except _BROKEN as error:
            self._file.close()
            raise LinesideError("bundle.invalid", why=str(error) or type(error).__name__) from error
        except LinesideError:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._zip.close()
        self._file.close()

    def document(self) -> tuple[Bundle, bytes]:
        """What the bundle says it is, and the bytes of that. Raises `bundle.invalid`, `bundle.incomplete`."""
        data = self.small(DOCUMENT)
        if data is None:
            raise LinesideError("bundle.incomplete", what=DOCUMENT)
        return read_bundle(data), data

    def small(self, name: str) -> bytes | None:
        """A small entry's bytes; None when there is none of that name. Raises `bundle.invalid`."""
        entry = self._entry(name)
        if entry is None:
            return None
        if entry.file_size > MAX_DOCUMENT_BYTES:
            raise LinesideError("bundle.invalid", why=f"{name} is larger than {MAX_DOCUMENT_BYTES} bytes")
        return b"".join(self._chunks(entry, 0))

    def size(self, name: str) -> int | None:
        """How many bytes an entry says it has; None when there is none of that name."""
        entry = self._entry(name)
        return None if entry is None else entry.file_size

    @contextmanager
    def content(self, name: str, offset: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        """How many bytes of an entry are left from `offset` on, and these bytes. Raises `bundle.incomplete`."""
        entry = self._entry(name)
        if entry is None or offset > entry.file_size:
            raise LinesideError("bundle.incomplete", what=name)
        yield entry.file_size - offset, self._chunks(entry, offset)

    def check_complete(self, bundle: Bundle) -> None:
        """Whether everything that it names is there. Raises `bundle.incomplete`."""
        for artifact in bundle.artifacts:
            if self.size(artifact_path(artifact.digest)) != artifact.size:
                raise LinesideError("bundle.incomplete", what=f"the artifact {artifact.name}")

    def _entry(self, name: str) -> zipfile.ZipInfo | None:
        try:
            entry = self._zip.getinfo(name)
        except KeyError:
            return None
        if entry.orig_filename != name or entry.flag_bits & 1 or entry.compress_type not in _METHODS:
            raise LinesideError("bundle.invalid", why=f"{name} is encrypted, or compressed in an unusual way")
        return entry

    def _chunks(self, entry: zipfile.ZipInfo, offset: int) -> Iterator[bytes]:
        """The bytes from `offset` on, never more than the archive's directory promised."""
        try:
            with self._zip.open(entry) as content:
                skipped = 0
                while skipped < offset and (chunk := content.read(min(_CHUNK, offset - skipped))):
                    skipped += len(chunk)
                left = entry.file_size - skipped
                while left > 0 and (chunk := content.read(min(_CHUNK, left))):
                    left -= len(chunk)
                    yield chunk
        except _BROKEN as error:
            raise LinesideError("bundle.invalid", why=f"{entry.filename}: {error}") from error


def _check_directory(file: BinaryIO) -> None:
    """Before zipfile reads the directory: whether it is of a sound size. Raises `bundle.invalid`.

    Asked of zipfile's own reader of the end record, so that both mean the same directory in a file that has two.
    """
    record = zipfile._EndRecData(file)  # type: ignore[attr-defined]
    if not record:
        raise LinesideError("bundle.invalid", why="it is no ZIP file")
    if record[_DIRECTORY_SIZE] > _DIRECTORY_BYTES:
        raise LinesideError("bundle.invalid", why=f"it has more than {MAX_ENTRIES} entries")
