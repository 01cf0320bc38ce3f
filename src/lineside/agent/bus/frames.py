"""Event-stream frames, without I/O: bytes to frames and back.

    u32 total | u32 headers | u32 CRC of these 8 bytes | headers | payload | u32 CRC of everything before

All numbers are big-endian, CRCs are zlib's CRC32. A header is `u8 length, name, u8 type, value`.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import NamedTuple
from zlib import crc32

OVERHEAD = 16
MAX_HEADERS = 128 << 10
MAX_FRAME = 8 << 20
"""Bytes of the largest frame that is taken or sent."""

Value = bool | int | str | bytes
"""A header's value. Numbers are written as i32; the narrower and wider ones are only read."""

_PRELUDE = struct.Struct(">III")
_NUMBERS = {2: struct.Struct(">b"), 3: struct.Struct(">h"), 4: struct.Struct(">i"), 5: struct.Struct(">q")}
_NUMBERS[8] = _NUMBERS[5]  # a timestamp: milliseconds
_BYTES, _STRING, _UUID = 6, 7, 9


class MessageType(IntEnum):
    """`:message-type`. The first two live on streams, the others on stream 0."""

    APPLICATION_MESSAGE = 0
    APPLICATION_ERROR = 1
    PING = 2
    PING_RESPONSE = 3
    CONNECT = 4
    CONNECT_ACK = 5
    PROTOCOL_ERROR = 6
    INTERNAL_ERROR = 7


ACCEPTED = 1
"""`:message-flags` of a CONNECT_ACK that lets the client in."""
TERMINATE = 2
"""`:message-flags` of the last message of a stream."""


class FrameError(Exception):
    """These bytes are no frame, or one that is too large; the connection cannot go on."""


class Frame(NamedTuple):
    """One message: its headers by lower-case name, and its payload."""

    headers: dict[str, Value]
    payload: bytes

    def number(self, name: str) -> int:
        """An integer header. Raises `FrameError` when it is missing or something else."""
        value = self.headers.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise FrameError(f"the header {name} is missing")
        return value

    def text(self, name: str) -> str | None:
        """A string header, if it is there."""
        value = self.headers.get(name)
        return value if isinstance(value, str) else None


def encode(headers: Mapping[str, Value], payload: bytes = b"") -> bytes:
    """A frame with these headers."""
    return _sealed(b"".join(_header(name, value) for name, value in headers.items()), payload)


def message(kind: MessageType, flags: int, stream: int, payload: bytes = b"", model: str | None = None) -> bytes:
    """A frame of the component protocol; `model` names the payload's JSON type."""
    return _sealed(_fixed_headers(kind, flags, model) + stream.to_bytes(4, "big"), payload)


@functools.lru_cache(maxsize=256)
def _fixed_headers(kind: MessageType, flags: int, model: str | None) -> bytes:
    headers: dict[str, Value] = {":message-type": int(kind), ":message-flags": flags}
    if model is not None:
        headers |= {":content-type": "application/json", "service-model-type": f"aws.greengrass#{model}"}
    return b"".join(_header(name, value) for name, value in headers.items()) + b"\x0a:stream-id\x04"


def _sealed(headers: bytes, payload: bytes) -> bytes:
    lengths = struct.pack(">II", OVERHEAD + len(headers) + len(payload), len(headers))
    front = lengths + crc32(lengths).to_bytes(4, "big") + headers
    return b"".join((front, payload, crc32(payload, crc32(front)).to_bytes(4, "big")))


def _header(name: str, value: Value) -> bytes:
    encoded = name.encode()
    start = bytes([len(encoded)]) + encoded
    if isinstance(value, bool):
        return start + (b"\0" if value else b"\1")
    if isinstance(value, int):
        return start + b"\4" + _NUMBERS[4].pack(value)
    kind, data = (_BYTES, value) if isinstance(value, bytes) else (_STRING, value.encode())
    return start + bytes([kind]) + len(data).to_bytes(2, "big") + data


class Decoder:
    """Frames out of bytes that come in any pieces. `limit` may be raised between two frames."""

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self.limit = limit
        self._buffer = bytearray()

    @property
    def waiting(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take bytes; every frame that is complete now. Raises `FrameError`, after which nothing more may be fed."""
        self._buffer += data
        while (total := self._total()) is not None and len(self._buffer) >= total:
            with memoryview(self._buffer) as view:
                frame = _parsed(bytes(view[:total]))
            del self._buffer[:total]
            yield frame

    def _total(self) -> int | None:
        """The length of the frame at the front, once that can be known."""
        if len(self._buffer) < _PRELUDE.size:
            return None
        total, headers, check = _PRELUDE.unpack_from(self._buffer)
        if crc32(bytes(self._buffer[:8])) != check:
            raise FrameError("the checksum of a frame's lengths is wrong")
        if total > self.limit:
            raise FrameError(f"a frame of {total} bytes is larger than {self.limit}")
        if headers > MAX_HEADERS or total < OVERHEAD + headers:
            raise FrameError("a frame's lengths do not fit together")
        return int(total)


def _parsed(data: bytes) -> Frame:
    if crc32(data[:-4]) != int.from_bytes(data[-4:], "big"):
        raise FrameError("the checksum of a frame is wrong")
    end = _PRELUDE.size + int.from_bytes(data[4:8], "big")
    headers: dict[str, Value] = {}
    at = _PRELUDE.size
    try:
        while at < end:
            name_end = at + 1 + data[at]
            name = data[at + 1 : name_end].decode().lower()
            headers[name], at = _value(data, name_end + 1, data[name_end])
    except (UnicodeDecodeError, IndexError, struct.error) as error:
        raise FrameError("a frame's headers cannot be read") from error
    if at != end:
        raise FrameError("a frame's headers cannot be read")
    return Frame(headers, data[end:-4])


def _value(data: bytes, at: int, kind: int) -> tuple[Value, int]:
    """A header's value and where the next header begins."""
    if kind in (0, 1):
        return kind == 0, at
    if kind in _NUMBERS:
        number = _NUMBERS[kind]
        return number.unpack_from(data, at)[0], at + number.size
    if kind in (_BYTES, _STRING):
        start = at + 2
        end = start + int.from_bytes(data[at:start], "big")
        return (data[start:end] if kind == _BYTES else data[start:end].decode()), end
    if kind == _UUID:
        return data[at : at + 16], at + 16
    raise FrameError(f"a header is of the unknown type {kind}")
