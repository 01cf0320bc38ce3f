"""The directory of a ZIP file looked at before anybody believes it, in memory that does not grow with it.

zipfile reads the whole directory at once and trusts where it says that entries lie. So first: there is one directory,
right before its end record, with nothing in front of the archive; its entries are counted one by one; and no two
entries share bytes (the archive that unpacks to petabytes by quoting the same bytes over and over).

Source: PKWARE APPNOTE 6.3.10, sections 4.3 and 4.4.
"""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Sequence
from typing import IO

from lineside.contract.errors import LinesideError

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s24x3H12x")
_LOCAL = struct.Struct("<4s22x2H")
_LONGEST_COMMENT = 0xFFFF
_PER_ENTRY = 600  # bytes of the directory, on average


def check_directory(file: IO[bytes], name: str, most: int) -> int:
    """Where the directory begins. Raises `archive.invalid`, `archive.too_many` beyond `most` entries."""
    begin, size = _find(file, name)
    file.seek(begin)
    left, count = size, 0
    while left > 0:
        header = file.read(_ENTRY.size)
        if len(header) < _ENTRY.size or header[:4] != b"PK\x01\x02":
            raise _invalid(name, "its directory is broken")
        count += 1
        if count > most:
            raise LinesideError("archive.too_many", name=name, limit=most)
        rest = sum(_ENTRY.unpack(header)[1:])
        file.seek(rest, os.SEEK_CUR)
        left -= _ENTRY.size + rest
    if size > most * _PER_ENTRY:
        raise _invalid(name, "its directory is too long")
    if left:
        raise _invalid(name, "its directory is longer than it says")
    return begin


def check_places(file: IO[bytes], name: str, entries: Sequence[zipfile.ZipInfo], directory: int) -> None:
    """Refuse entries that overlap one another or the directory. Raises `archive.invalid`."""
    until = 0
    for entry in sorted(entries, key=lambda one: one.header_offset):
        if entry.header_offset < until:
            raise _invalid(name, "entries overlap")
        file.seek(entry.header_offset)
        header = file.read(_LOCAL.size)
        if len(header) < _LOCAL.size or header[:4] != b"PK\x03\x04":
            raise _invalid(name, "an entry is not where the directory says")
        until = entry.header_offset + _LOCAL.size + sum(_LOCAL.unpack(header)[1:]) + entry.compress_size
    if until > directory:
        raise _invalid(name, "entries overlap")


def _find(file: IO[bytes], name: str) -> tuple[int, int]:
    """Offset and size of the directory, as zipfile will find it."""
    end = file.seek(0, os.SEEK_END)
    start = max(0, end - _END.size - _LONGEST_COMMENT)
    file.seek(start)
    tail = file.read(end - start)
    plain = tail[-_END.size :]
    at = len(tail) - _END.size
    if not (len(plain) == _END.size and plain[:4] == b"PK\x05\x06" and plain[-2:] == b"\0\0"):
        at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > len(tail):
        raise _invalid(name, "it is no ZIP file")
    _, disk, first, _, _, size, begin, comment = _END.unpack_from(tail, at)
    if disk or first or at + _END.size + comment != len(tail):
        raise _invalid(name, "its end record is broken")
    place = start + at
    if place >= _LOCATOR.size:
        file.seek(place - _LOCATOR.size)
        locator = file.read(_LOCATOR.size)
        if locator[:4] == b"PK\x06\x07":
            return _find_64(file, name, locator, place - _LOCATOR.size)
    return _sound(name, begin, size, place)


def _find_64(file: IO[bytes], name: str, locator: bytes, place: int) -> tuple[int, int]:
    _, disk, record, _ = _LOCATOR.unpack(locator)
    if disk or record != place - _END_64.size or record < 0:
        raise _invalid(name, "its end record is broken")
    file.seek(record)
    found = file.read(_END_64.size)
    if found[:4] != b"PK\x06\x06":
        raise _invalid(name, "its end record is broken")
    *_, size, begin = _END_64.unpack(found)
    return _sound(name, begin, size, record)


def _sound(name: str, begin: int, size: int, end: int) -> tuple[int, int]:
    if begin + size != end:
        raise _invalid(name, "its directory is not where its end says")
    return begin, size


def _invalid(name: str, why: str) -> LinesideError:
    return LinesideError("archive.invalid", name=name, why=why)
