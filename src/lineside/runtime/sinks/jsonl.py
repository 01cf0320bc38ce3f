"""Results as lines of JSON in a file: the sink of a device without a broker."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from lineside.contract.reading import UNREADABLE
from lineside.runtime.sinks.fixed import fixed
from lineside.runtime.spool import Entry

MAX_BYTES = 64 * 1024 * 1024
_ROOM = 1000
_LONGEST = 1024 * 1024  # bytes of a result


class _Numbered(msgspec.Struct):
    sequence: int


class JsonlSink:
    """Appends to `path`; when it is over `max_bytes` it becomes `<path>.1`, replacing the one before. After a restart
    it may be given results again that it has, as many as one likes: when the first of them is a line of these two
    files, those up to the number of the last line are not written twice."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, durable: bool = True) -> None:
        self.durable = durable
        self._path, self._max_bytes = path, max_bytes
        self._arrived: list[int] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        _cut_torn_line(path)
        self._last = _number_of(_last_line(path) or _last_line(_older(path)))
        self._given_again = False  # whether `_last` counts the same results as those that come
        self._file = path.open("ab", buffering=0)

    def room(self) -> int:
        return _ROOM

    def trouble(self) -> str:
        return ""

    def send(self, entries: Sequence[Entry]) -> None:
        self._make_ready()
        self._append(self._not_there_yet(fixed(entries)))
        self._arrived += [entry.sequence for entry in entries]

    def _make_ready(self) -> None:
        """Another file when this one is full, or somebody has moved it away, and an open one when the last try ended
        halfway. Before the write: what fails afterwards would have a batch written twice."""
        if not self._file.closed and not self._in_place():
            self._file.close()
        if not self._file.closed and self._file.seek(0, os.SEEK_END) > self._max_bytes:
            self._path.replace(_older(self._path))
            self._file.close()
        if self._file.closed:
            self._file = self._path.open("ab", buffering=0)

    def _in_place(self) -> bool:
        """Whether the path still names the file that is open."""
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            return False

    def _not_there_yet(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """What follows the last line of the time before, if the first result of this time is one of before, too."""
        if self._last and not self._given_again:
            first = entries[0]
            self._given_again = first.sequence <= self._last and self._holds(first.payload)
            if not self._given_again:
                self._last = 0
        return [entry for entry in entries if entry.sequence > self._last] if self._last else entries

    def _holds(self, payload: bytes) -> bool:
        return any(_has_line(path, payload) for path in (self._path, _older(self._path)))

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


def _number_of(line: bytes) -> int:
    """The sequence number of a result; 0 of anything else."""
    try:
        return msgspec.json.decode(line, type=_Numbered).sequence
    except UNREADABLE:
        return 0


def _has_line(path: Path, line: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return any(each.rstrip(b"\n") == line for each in file)
    except FileNotFoundError:
        return False


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
