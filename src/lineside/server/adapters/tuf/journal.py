"""Publishing several files as one: all of them are written down first, in one file, and then put in their places.

A new root counts as soon as it lies there, whatever the timestamp says; a kill between a root and the metadata that
its keys signed would leave neither state whole. Once `publishing` is on the disk the new state is decided: whoever
comes next, a reader or the next start, finishes it. Until then nothing has happened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE
from lineside.server.adapters.files import sync_folder

_NAME = "publishing"


class _Pages(msgspec.Struct, frozen=True):
    files: dict[str, str]  # in the order in which they are written
    forget: tuple[str, ...]  # keys whose private halves are deleted at the end


class Journal:
    """The journal of one repository. Whoever calls it holds the repository's lock."""

    def __init__(self, folder: Path, write: Callable[[Path, bytes], None], forget: Callable[[str], None]) -> None:
        self._folder, self._write, self._forget = folder, write, forget
        self._path = folder / _NAME

    @property
    def open(self) -> bool:
        """Whether something that was decided is not in its place yet."""
        return self._path.exists()

    def publish(self, files: Mapping[str, bytes], forget: tuple[str, ...] = ()) -> None:
        """Put all files in their places, in their order, and then delete the private keys `forget`."""
        pages = _Pages({name: data.decode() for name, data in files.items()}, forget)
        self._write(self._path, msgspec.json.encode(pages))
        self.finish()

    def finish(self) -> None:
        """Finish what is under way; doing it again changes nothing. Raises `trust.metadata_damaged`."""
        try:
            pages = msgspec.json.decode(self._path.read_bytes(), type=_Pages)
        except FileNotFoundError:
            return
        except UNREADABLE as error:
            raise LinesideError("trust.metadata_damaged", file=_NAME, why=error) from error
        for name, text in pages.files.items():
            self._write(self._folder / name, text.encode())
        for key in pages.forget:
            self._forget(key)
        self._path.unlink()
        sync_folder(self._folder)
