"""A shelf whose user is killed at a write, and what lies on one."""

from __future__ import annotations

from contextlib import AbstractContextManager

from lineside.server.adapters.tuf import Shelf


class Killed(BaseException):
    """The process ends here."""


class Fragile:
    """Another shelf, until so many files are written; `written` counts them."""

    def __init__(self, shelf: Shelf, left: int | None = None) -> None:
        self._shelf, self._left = shelf, left
        self.written = 0
        self.names, self.read, self.remove, self.stamp = shelf.names, shelf.read, shelf.remove, shelf.stamp

    def locked(self) -> AbstractContextManager[None]:
        return self._shelf.locked()

    def write(self, name: str, data: bytes) -> None:
        if self.written == self._left:
            raise Killed
        self.written += 1
        self._shelf.write(name, data)


def content(shelf: Shelf) -> dict[str, bytes]:
    """Every file."""
    return {name: shelf.read(name) for name in shelf.names() if not name.startswith(".")}
