"""Results as bytes: frames one behind the other, each with its own checksum.

    u64 sequence number | u32 length | u32 CRC | payload

little-endian. The CRC is zlib's over number, length and payload.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from zlib import crc32

_HEAD = struct.Struct("<QI")
_CHECK = struct.Struct("<I")
_CHECKED_HEAD = struct.Struct("<QII")
OVERHEAD = _CHECKED_HEAD.size
"""Bytes of a frame beside its payload."""

ROW_BYTES = 256 * 1024
"""Bytes of frames that are kept together, unless one result alone is larger."""


class Entry(NamedTuple):
    """A stored result: its sequence number and its JSON."""

    sequence: int
    payload: bytes


def pack(entries: Iterable[Entry]) -> bytes:
    """Frames of results."""
    parts: list[bytes] = []
    for sequence, payload in entries:
        length = len(payload)
        check = crc32(payload, crc32(_HEAD.pack(sequence, length)))
        parts += (_CHECKED_HEAD.pack(sequence, length, check), payload)
    return b"".join(parts)


def unpack(frames: bytes) -> list[Entry]:
    """The results whose frames are sound; the others are left out."""
    found: list[Entry] = []
    at, end = 0, len(frames)
    while at + OVERHEAD <= end:
        sequence, length = _HEAD.unpack_from(frames, at)
        payload = frames[at + OVERHEAD : at + OVERHEAD + length]
        if len(payload) < length:
            break
        check = crc32(payload, crc32(frames[at : at + _HEAD.size]))
        if _CHECK.unpack_from(frames, at + _HEAD.size)[0] == check:
            found.append(Entry(sequence, payload))
        at += OVERHEAD + length
    return found


def portions(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Results in the portions that are kept together."""
    start = size = 0
    for number, entry in enumerate(entries):
        size += OVERHEAD + len(entry.payload)
        if size > ROW_BYTES and number > start:
            yield entries[start:number]
            start, size = number, OVERHEAD + len(entry.payload)
    if start < len(entries):
        yield entries[start:]
