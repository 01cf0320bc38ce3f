"""Room on the disk that is kept for the one write that must work when the disk is full: letting go of results."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

SIZE = 256 * 1024


class Ballast:
    """A file beside the spool that is good for nothing but its size. Where there is no room for it, there is none."""

    def __init__(self, spool: Path) -> None:
        self._path = spool.with_name(spool.name + ".ballast")
        self._taken = self._path.exists()

    def take(self) -> None:
        """Occupies the room, if there is as much."""
        if self._taken:
            return
        try:
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, SIZE)
        except OSError:
            self.give()
        else:
            self._taken = True

    def give(self) -> None:
        """Frees the room."""
        self._taken = False
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
