"""Results as lines of JSON in a file: the sink of a device without a broker."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

from lineside.runtime.spool import Entry

MAX_BYTES = 64 * 1024 * 1024
_ROOM = 1000
_LONGEST = 1024 * 1024  # bytes of a result


class JsonlSink:
    """Appends to `path`; when it is over `max_bytes` it becomes `<path>.1`, replacing the one before. After a restart
    it may be given results again that it has: the last line tells, and none is written twice."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, durable: bool = True) -> None:
        self.durable = durable
        self._path, self._max_bytes = path, max_bytes
        self._arrived: list[int] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        _cut_torn_line(path)
        self._last_before = _last_line(path) or _last_line(_older(path))
        self._file = path.open("ab", buffering=0)

    def room(self) -> int:
        return _ROOM

    def trouble(self) -> str:
        return ""

    def send(self, entries: Sequence[Entry]) -> None:
        self._append(self._not_there_yet(entries))
        self._arrived += [entry.sequence for entry in entries]
        if self._file.tell() > self._max_bytes:
            self._rotate()

    def _not_there_yet(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """What follows the last line of the time before, if that is among the first results of this time."""
        before, self._last_before = self._last_before, b""
        for number, entry in enumerate(entries):
            if entry.payload == before:
                return entries[number + 1 :]
        return entries

    def _append(self, entries: Sequence[Entry]) -> None:
        before = self._file.seek(0, os.SEEK_END)
        try:
            _write_all(self._file, b"".join(entry.payload + b"\n" for entry in entries))
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(before)  # no half line stays behind when the disk is full
            raise

    def settled(self) -> list[int]:
        arrived, self._arrived = self._arrived, []
        return arrived

    def close(self, timeout: float) -> None:
        self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        self._path.replace(_older(self._path))
        self._file = self._path.open("ab", buffering=0)


def _write_all(file: io.FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def _older(path: Path) -> Path:
    return path.with_name(path.name + ".1")


def _last_line(path: Path) -> bytes:
    """The last line without its end; nothing when there is none, or it is longer than any result."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - _LONGEST))
            return file.read().rstrip(b"\n").rpartition(b"\n")[2]
    except FileNotFoundError:
        return b""


def _cut_torn_line(path: Path) -> None:
    """Removes what a power cut left after the last whole line."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        start = end
        while start > 0:
            step = min(65536, start)
            start -= step
            file.seek(start)
            found = file.read(step).rfind(b"\n")
            if found >= 0:
                file.truncate(start + found + 1)
                return
        file.truncate(0)
