"""Publishing several files as one: all of them are written down first, in one file, and then put in their places.

A new root counts as soon as it lies there, whatever the timestamp says; a kill between a root and the metadata that
its keys signed would leave neither state whole. Once `publishing` is on the disk the new state is decided: whoever
comes next, a reader or the next start, finishes it. Until then nothing has happened. Where several control planes share
the repository, each of them deletes the private keys that are needed no more from its own folder (`forget`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE
from lineside.server.adapters.tuf.shelf import Shelf

_NAME = "publishing"


class _Pages(msgspec.Struct, frozen=True):
    files: dict[str, str]  # in the order in which they are written
    forget: tuple[str, ...]  # keys whose private halves are deleted at the end


class Journal:
    """The journal of one repository. Whoever calls it holds the repository's lock."""

    def __init__(self, shelf: Shelf, forget: Callable[[str], None]) -> None:
        self._shelf, self._forget = shelf, forget

    @property
    def open(self) -> bool:
        """Whether something that was decided is not in its place yet."""
        try:
            self._shelf.stamp(_NAME)
        except FileNotFoundError:
            return False
        return True

    def publish(self, files: Mapping[str, bytes], forget: tuple[str, ...] = ()) -> None:
        """Put all files in their places, in their order, and then delete the private keys `forget`."""
        pages = _Pages({name: data.decode() for name, data in files.items()}, forget)
        self._shelf.write(_NAME, msgspec.json.encode(pages))
        self.finish()

    def finish(self) -> None:
        """Finish what is under way; doing it again changes nothing. Raises `trust.metadata_damaged`."""
        try:
            pages = msgspec.json.decode(self._shelf.read(_NAME), type=_Pages)
        except FileNotFoundError:
            return
        except UNREADABLE as error:
            raise LinesideError("trust.metadata_damaged", file=_NAME, why=error) from error
        for name, text in pages.files.items():
            self._shelf.write(name, text.encode())
        for key in pages.forget:
            self._forget(key)
        self._shelf.remove(_NAME)
