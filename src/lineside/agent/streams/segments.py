"""A stream's messages in segment files: appended, read, dropped a segment at a time.

A file is named after the sequence number it begins with, and holds records back to back:

    u32 length | u32 crc32 of the rest | u64 sequence number | u64 milliseconds since the epoch | payload

big-endian. After a crash the last file may end in half a record, which nobody was told is durable: it is cut off.
A record whose bytes rotted is an error for who reads it.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lineside.agent.durable import sync_directory

_LENGTHS = struct.Struct(">II")
_FIELDS = struct.Struct(">QQ")
OVERHEAD = _LENGTHS.size + _FIELDS.size
"""Bytes of a record beside its payload."""

_EVERY = 64  # records between two entries of a segment's index


class Message(NamedTuple):
    """One message."""

    sequence: int
    at: int  # milliseconds since the epoch
    payload: bytes


class Damaged(Exception):
    """A record that is not what was written."""


def _encode(sequence: int, at: int, payload: bytes) -> bytes:
    rest = _FIELDS.pack(sequence, at) + payload
    return _LENGTHS.pack(len(payload), zlib.crc32(rest)) + rest


class Segment:
    """One file. `first` is the sequence number of its first record, `next` the one after its last."""

    def __init__(self, path: Path, first: int) -> None:
        self.path = path
        self.first = first
        self.next = first
        self.size = 0
        self.last_at = 0
        self._index = [(first, 0)]  # sequence number and offset
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def recover(self) -> None:
        """Read what is there; cut off what is not whole."""
        for message, offset in self._records(0):
            if message.sequence != self.next:
                break
            self._count(message.sequence, message.at, offset, OVERHEAD + len(message.payload))
        if os.fstat(self._file).st_size > self.size:
            os.ftruncate(self._file, self.size)

    def append(self, at: int, payload: bytes) -> int:
        """Add a message; its sequence number. Nothing is there when this fails."""
        sequence, offset = self.next, self.size
        record = _encode(sequence, at, payload)
        try:
            written = os.write(self._file, record)
            while written < len(record):
                written += os.write(self._file, record[written:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, offset)
            raise
        self._count(sequence, at, offset, len(record))
        return sequence

    def read(self, start: int) -> Iterator[Message]:
        """Messages from a sequence number on. Raises `Damaged`."""
        near = max((entry for entry in self._index if entry[0] <= start), default=self._index[0])
        reached = max(start, self.first)
        for message, _ in self._records(near[1]):
            if message.sequence >= start:
                reached = message.sequence + 1
                yield message
        if reached < self.next:
            raise Damaged(f"{self.path.name} is damaged after {reached}")

    def sync(self) -> None:
        """Make what was appended survive a power cut."""
        os.fsync(self._file)

    def close(self) -> None:
        """Give the file back."""
        os.close(self._file)

    def _count(self, sequence: int, at: int, offset: int, length: int) -> None:
        if (sequence - self.first) % _EVERY == 0 and sequence != self.first:
            self._index.append((sequence, offset))
        self.next, self.size, self.last_at = sequence + 1, offset + length, max(self.last_at, at)

    def _records(self, offset: int) -> Iterator[tuple[Message, int]]:
        """Whole, sound records from an offset on, each with its own."""
        end = os.fstat(self._file).st_size
        while offset + OVERHEAD <= end:
            length, check = _LENGTHS.unpack(os.pread(self._file, _LENGTHS.size, offset))
            if offset + OVERHEAD + length > end:
                return
            rest = os.pread(self._file, _FIELDS.size + length, offset + _LENGTHS.size)
            if len(rest) != _FIELDS.size + length or zlib.crc32(rest) != check:
                return
            sequence, at = _FIELDS.unpack_from(rest)
            yield Message(sequence, at, rest[_FIELDS.size :]), offset
            offset += OVERHEAD + length


class Segments:
    """All segments of a stream, oldest first; the last one is appended to, and there always is one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        found = sorted(int(path.stem) for path in folder.glob("*.seg") if path.stem.isdigit())
        self._segments = [Segment(self._path(first), first) for first in found]
        for segment in self._segments:
            segment.recover()
        if not self._segments:
            self._begin(0)

    @property
    def oldest(self) -> int:
        """Sequence number of the oldest message there is, or of the next one."""
        return self._segments[0].first

    @property
    def next(self) -> int:
        """Sequence number of the next message."""
        return self._segments[-1].next

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(segment.size for segment in self._segments)

    def append(self, at: int, payload: bytes, segment_size: int) -> int:
        """Add a message, in a new segment if the last one is full; its sequence number."""
        last = self._segments[-1]
        if last.size and last.size + OVERHEAD + len(payload) > segment_size:
            self._begin(last.next)
        return self._segments[-1].append(at, payload)

    def read(self, start: int) -> Iterator[Message]:
        """Messages from a sequence number on. Raises `Damaged`."""
        for segment in list(self._segments):
            if segment.next > start:
                yield from segment.read(start)

    def drop_oldest(self) -> bool:
        """Drop the oldest segment; False when there is nothing to drop."""
        oldest = self._segments[0]
        if len(self._segments) == 1:
            if oldest.next == oldest.first:
                return False
            self._begin(oldest.next)
        self._segments.pop(0)
        oldest.close()
        oldest.path.unlink(missing_ok=True)
        return True

    def oldest_ends(self) -> int | None:
        """When the newest message of the oldest segment came; None when it is empty."""
        oldest = self._segments[0]
        return oldest.last_at if oldest.next > oldest.first else None

    def sync(self) -> None:
        """Make everything survive a power cut."""
        self._segments[-1].sync()

    def close(self) -> None:
        """Give the files back."""
        for segment in self._segments:
            segment.close()

    def _begin(self, first: int) -> None:
        if self._segments:
            self._segments[-1].sync()
        self._segments.append(Segment(self._path(first), first))
        sync_directory(self._folder)

    def _path(self, first: int) -> Path:
        return self._folder / f"{first:020}.seg"
