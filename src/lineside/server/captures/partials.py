"""Uploads that broke off: what came so far lies in a file of this control plane until the rest follows.

A file belongs to a capture, not to a ticket, so a new ticket goes on where the one before broke off. What was received
is only believed when it is whole and has the digest that was announced.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from lineside.contract.errors import LinesideError
from lineside.server.adapters.object_rules import CHUNK

KEPT_SECONDS = 24 * 3600.0
"""How long the beginning of an upload waits for its rest."""


class Partials:
    """The beginnings of uploads, by capture (a name as `is_name` has them)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._writers: dict[str, object] = {}  # who writes a file now: the newest, others are refused

    def received(self, capture: str) -> int:
        """Bytes that are there."""
        with contextlib.suppress(FileNotFoundError):
            return self._path(capture).stat().st_size
        return 0

    def take(self, capture: str, pieces: Iterable[bytes], offset: int, size: int) -> None:
        """Write what comes, from `offset` on, until there are `size` bytes. Whoever comes later for the same capture
        takes over: a device that lost its connection does not wait until this side has noticed.

        Raises `ticket.wrong_offset`, `ticket.superseded`, `ticket.wrong_size`; what came before is kept then, unless
        there was too much of it. And what `pieces` raises, and OSError on a full disk.
        """
        mine = object()
        file = self._open(capture, mine, offset)
        at = offset
        try:
            for piece in pieces:
                if at + len(piece) > size:
                    self.drop(capture)
                    raise LinesideError("ticket.wrong_size", actual=f"over {size}", expected=size)
                with self._lock:
                    if self._writers.get(capture) is not mine:
                        raise LinesideError("ticket.superseded")
                    _write(file, piece, at)
                at += len(piece)
        finally:
            os.close(file)
            with self._lock:
                if self._writers.get(capture) is mine:
                    del self._writers[capture]
        if at < size:
            raise LinesideError("ticket.wrong_size", actual=at, expected=size)

    def stream(self, capture: str) -> Iterator[bytes]:
        """What is there, in pieces. Raises `ticket.superseded` where another upload of it has ended just now."""
        try:
            file = self._path(capture).open("rb")
        except FileNotFoundError:
            raise LinesideError("ticket.superseded") from None
        with file:
            while piece := file.read(CHUNK):
                yield piece

    def drop(self, capture: str) -> None:
        """Forget what came; the next upload begins anew."""
        self._path(capture).unlink(missing_ok=True)

    def tidy(self) -> int:
        """Forget what nobody went on with for a day; how many uploads that was."""
        dropped = 0
        for path in self._folder.glob("*.part"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > KEPT_SECONDS:
                    path.unlink()
                    dropped += 1
        return dropped

    def _open(self, capture: str, mine: object, offset: int) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lock:
            there = self.received(capture)
            if offset > there:
                raise LinesideError("ticket.wrong_offset", offset=offset, received=there)
            file = os.open(self._path(capture), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.ftruncate(file, offset)
            self._writers[capture] = mine
        return file

    def _path(self, capture: str) -> Path:
        return self._folder / f"{capture}.part"


def _write(file: int, piece: bytes, at: int) -> None:
    """All of it: a disk that is nearly full takes a part, and says so the next time."""
    left = memoryview(piece)
    while left:
        written = os.pwrite(file, left, at)
        left, at = left[written:], at + written
