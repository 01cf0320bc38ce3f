"""CBOR (RFC 8949), as much of it as JSON has and byte strings: what stream manager clients speak."""

from __future__ import annotations

import struct
from typing import Any

MAX_DEPTH = 32

_BREAK = object()
_FALSE, _TRUE, _NULL, _UNDEFINED = 0xF4, 0xF5, 0xF6, 0xF7


class CborError(ValueError):
    """Bytes that are no CBOR, or of a kind that is not spoken here."""


def dumps(value: Any) -> bytes:
    """A value as CBOR."""
    out = bytearray()
    _write(out, value)
    return bytes(out)


def loads(data: bytes) -> Any:
    """The one value in `data`. Raises `CborError`."""
    reader = _Reader(data)
    value = reader.value(0)
    if value is _BREAK or reader.at != len(data):
        raise CborError("there is more after its end")
    return value


def _write(out: bytearray, value: Any) -> None:
    if value is None or isinstance(value, bool):
        out.append(_NULL if value is None else _TRUE if value else _FALSE)
    elif isinstance(value, int):
        out += _head(0, value) if value >= 0 else _head(1, -1 - value)
    elif isinstance(value, float):
        out += b"\xfb" + struct.pack(">d", value)
    elif isinstance(value, bytes | bytearray | memoryview):
        out += _head(2, len(value))
        out += value
    elif isinstance(value, str):
        text = value.encode()
        out += _head(3, len(text))
        out += text
    elif isinstance(value, list | tuple):
        out += _head(4, len(value))
        for item in value:
            _write(out, item)
    elif isinstance(value, dict):
        out += _head(5, len(value))
        for key, item in value.items():
            _write(out, key)
            _write(out, item)
    else:
        raise CborError(f"a {type(value).__name__} has no form in CBOR here")


def _head(major: int, number: int) -> bytes:
    first = major << 5
    if number < 24:
        return bytes((first | number,))
    for extra, form in ((24, ">BB"), (25, ">BH"), (26, ">BI"), (27, ">BQ")):
        if number < 1 << (8 << (extra - 24)):
            return struct.pack(form, first | extra, number)
    raise CborError("a number beyond 64 bits")


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise CborError("it is nested too deep")
        first = self._take(1)[0]
        major, info = first >> 5, first & 31
        if major == 7:
            return self._simple(info)
        length = self._argument(info)
        if major == 0:
            return self._finite(length)
        if major == 1:
            return -1 - self._finite(length)
        if major in (2, 3):
            return self._string(major, length, depth)
        if major == 4:
            return self._list(length, depth)
        if major == 5:
            return self._map(length, depth)
        self._finite(length)
        return self.value(depth + 1)  # a tag: what it says of the value is not needed

    def _take(self, count: int) -> bytes:
        if count > len(self._data) - self.at:
            raise CborError("it is cut short")
        self.at += count
        return self._data[self.at - count : self.at]

    def _argument(self, info: int) -> int | None:
        """The number in a head; None: the length is not said."""
        if info < 24:
            return info
        if info < 28:
            return int.from_bytes(self._take(1 << (info - 24)))
        if info == 31:
            return None
        raise CborError("a head that means nothing")

    def _finite(self, length: int | None) -> int:
        if length is None:
            raise CborError("a head that means nothing")
        return length

    def _string(self, major: int, length: int | None, depth: int) -> bytes | str:
        if length is None:
            parts: list[Any] = []
            while (part := self.value(depth + 1)) is not _BREAK:
                if not isinstance(part, bytes if major == 2 else str):
                    raise CborError("a part of a string is none")
                parts.append(part)
            return b"".join(parts) if major == 2 else "".join(parts)
        data = self._take(length)
        try:
            return data if major == 2 else data.decode()
        except UnicodeDecodeError as error:
            raise CborError("a text is not UTF-8") from error

    def _list(self, length: int | None, depth: int) -> list[Any]:
        items: list[Any] = []
        while length is None or len(items) < length:
            item = self.value(depth + 1)
            if item is _BREAK:
                if length is None:
                    break
                raise CborError("a list is cut short")
            items.append(item)
        return items

    def _map(self, length: int | None, depth: int) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        count = 0
        while length is None or count < length:
            key = self.value(depth + 1)
            if key is _BREAK and length is None:
                break
            item = self.value(depth + 1)
            if key is _BREAK or item is _BREAK or not isinstance(key, str | int | bytes):
                raise CborError("a map is broken")
            result[key] = item
            count += 1
        return result

    def _simple(self, info: int) -> Any:
        if info == 31:
            return _BREAK
        if info in (25, 26, 27):
            form = {25: ">e", 26: ">f", 27: ">d"}[info]
            return struct.unpack(form, self._take(1 << (info - 24)))[0]
        meaning = {_FALSE & 31: False, _TRUE & 31: True, _NULL & 31: None, _UNDEFINED & 31: None}
        if info not in meaning:
            raise CborError("a simple value that means nothing")
        return meaning[info]
