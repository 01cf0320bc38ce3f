"""The little of the event-stream encoding that a publisher needs, without I/O.

    u32 total | u32 headers | u32 CRC of these 8 bytes | headers | payload | u32 CRC of everything before

All numbers are big-endian, CRCs are zlib's CRC32. A header is `u8 length, name, u8 type, value`; what is written are
i32 (4) and strings (7, u16 length). Source: AWS's event-stream encoding (awslabs/aws-c-event-stream) and the RPC on it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import NamedTuple
from zlib import crc32

MAX_FRAME = 16 << 20
"""Bytes of the largest frame that is taken."""

ACCEPTED = 1
"""`:message-flags` of an answer to CONNECT that lets us in."""

_PRELUDE = struct.Struct(">III")
_NUMBER, _STRING = 4, 7
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}  # of the types with a fixed size
_NAMED = {6, 7}  # bytes and string: u16 length before them


class Kind(IntEnum):
    """`:message-type`."""

    MESSAGE = 0
    ERROR = 1
    PING = 2
    PING_RESPONSE = 3
    CONNECT = 4
    CONNECT_ACK = 5


class Frame(NamedTuple):
    """One message: its numbers and strings by lower-case name, and its payload."""

    headers: dict[str, int | str]
    payload: bytes

    def number(self, name: str) -> int:
        """An integer header; -1 when there is none."""
        value = self.headers.get(name)
        return value if isinstance(value, int) else -1


def encode(headers: Mapping[str, int | str], payload: bytes = b"") -> bytes:
    """A frame."""
    packed = b"".join(_header(name, value) for name, value in headers.items())
    lengths = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    front = lengths + crc32(lengths).to_bytes(4, "big") + packed
    return b"".join((front, payload, crc32(payload, crc32(front)).to_bytes(4, "big")))


def _header(name: str, value: int | str) -> bytes:
    start = bytes([len(name)]) + name.encode()
    if isinstance(value, int):
        return start + bytes([_NUMBER]) + struct.pack(">i", value)
    data = value.encode()
    return start + bytes([_STRING]) + len(data).to_bytes(2, "big") + data


class Decoder:
    """Frames out of bytes that come in any pieces."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Every frame that is complete now. Raises `ConnectionError` for what is none."""
        self._buffer += data
        while len(self._buffer) >= _PRELUDE.size:
            total, headers, check = _PRELUDE.unpack_from(self._buffer)
            if crc32(self._buffer[:8]) != check or not 16 + headers <= total <= MAX_FRAME:
                raise ConnectionError("the bus sends what is no frame")
            if len(self._buffer) < total:
                return
            frame = bytes(self._buffer[:total])
            del self._buffer[:total]
            if crc32(frame[:-4]) != int.from_bytes(frame[-4:], "big"):
                raise ConnectionError("the checksum of a frame from the bus is wrong")
            yield Frame(_headers(frame[12 : 12 + headers]), frame[12 + headers : -4])


def _headers(data: bytes) -> dict[str, int | str]:
    found: dict[str, int | str] = {}
    at = 0
    try:
        while at < len(data):
            start = at + 1 + data[at]
            name, kind, at = data[at + 1 : start].decode().lower(), data[start], start + 1
            size = _SIZES.get(kind)
            if kind in _NAMED:
                size, at = int.from_bytes(data[at : at + 2], "big"), at + 2
            if size is None or at + size > len(data):
                raise ConnectionError("a header of a frame from the bus cannot be read")
            value, at = data[at : at + size], at + size
            if kind == _STRING:
                found[name] = value.decode()
            elif kind in (2, 3, 4, 5):
                found[name] = int.from_bytes(value, "big", signed=True)
    except (IndexError, UnicodeDecodeError) as error:
        raise ConnectionError("a header of a frame from the bus cannot be read") from error
    return found
