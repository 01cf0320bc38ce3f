"""The files of an import: a listing of paths, read by path, and never more of a file than is needed or allowed.

What a file is, its beginning says; only where that is not enough it is looked through, piece by piece. Labels that need
all of a file in memory have a limit; those that are lines are read line by line and may be longer.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain, pairwise
from pathlib import PurePosixPath

from lineside.contract.errors import LinesideError
from lineside.server.datasets.formats.text import unreadable
from lineside.server.datasets.pictures.limits import LARGEST, may_be_picture

BEGINNING = 64 << 10
"""Bytes of a file that say what it is."""

DOCUMENT = 64 << 20
"""Bytes of a label file that is read as a whole: JSON."""

LINES = 1 << 30
"""Bytes of a label file that is read line by line: CSV, manifests, lists of images."""

SMALL = 4 << 20
"""Bytes of a file that says little: labels of one image, names of classes, `data.yaml`."""

DRIVE = re.compile("[A-Za-z]:/")
"""How a path of a machine with drives begins."""

LINE = 1 << 20
"""Bytes of one line."""


class Folder:
    """The files of an import by path (relative, with "/")."""

    def __init__(self, files: Mapping[str, str], stream: Callable[[str], Iterable[bytes]]) -> None:
        """`files` maps path to digest, `stream` gives the bytes of a path in pieces. Raises `dataset.path_refused`,
        `dataset.same_name` for two paths that are one where case does not count, or a file that is a folder too."""
        self.files = dict(sorted(files.items()))
        self._stream = stream
        for path in self.files:
            parts = path.split("/")
            if is_outside(path) or "\\" in path or "." in parts or not all(parts):
                raise LinesideError("dataset.path_refused", path=path)
        folded = sorted((path.casefold().split("/"), path) for path in self.files)
        for (parts, first), (others, second) in pairwise(folded):
            if others[: len(parts)] == parts:
                raise LinesideError("dataset.same_name", first=first, second=second)

    def named(self, *suffixes: str) -> list[str]:
        """Paths that end in one of the suffixes, without regard to case."""
        return [path for path in self.files if path.casefold().endswith(suffixes)]

    def first(self, paths: Iterable[str]) -> str | None:
        """The first of some paths that is there."""
        return next((path for path in paths if path in self.files), None)

    def ending(self, tail: str) -> list[str]:
        """All files whose path ends in these parts."""
        return [path for path in self._by_name[PurePosixPath(tail).name] if f"/{path}".endswith(f"/{tail}")]

    def beginning(self, path: str) -> bytes:
        """The first 64 KiB of a file, or all of a smaller one."""
        data = bytearray()
        for piece in self._stream(path):
            data += piece
            if len(data) >= BEGINNING:
                break
        return bytes(data[:BEGINNING])

    def read(self, path: str, limit: int = DOCUMENT) -> bytes:
        """All bytes of a label file. Raises `dataset.file_too_large`; what is over the limit is not read."""
        return b"".join(self._pieces(path, limit))

    def lines(self, path: str) -> Iterator[tuple[int, str]]:
        """The lines of a text file with their numbers, their ends kept; a few in memory. Raises
        `dataset.file_too_large`, and `dataset.file_unreadable` for what is not UTF-8 or one line over 1 MiB."""
        number, rest = 1, b""
        for piece in chain(self._pieces(path, LINES), (None,)):
            *whole, rest = [b""] if piece is None and not rest else _divided(rest, piece)
            for line in whole:
                yield number, _decoded(path, line, number)
                number += 1
            if len(rest) > LINE:
                raise unreadable(path, f"it is over {LINE} bytes long", number)

    def says(self, path: str, words: Iterable[bytes], least: int) -> bool:
        """Whether at least so many of some words are in a file; read up to where they are, a piece at a time."""
        missing, found, tail = set(words), 0, b""
        for piece in self._pieces(path, DOCUMENT, refuse=False):
            data = tail + (piece.replace(b"\0", b"") if b"\0" in piece[:64] else piece)  # UTF-16
            seen = {word for word in missing if word in data}
            missing, found, tail = missing - seen, found + len(seen), data[-64:]
            if found >= least:
                return True
        return False

    def is_picture(self, path: str) -> bool:
        """Whether a file begins like a picture; one whose head lies further back is read up to there."""
        data = self.beginning(path)
        if not may_be_picture(data):
            return False
        from lineside.server.datasets.pictures.decoding import is_picture

        return is_picture(data) or (len(data) == BEGINNING and is_picture(self._all(path)))

    @cached_property
    def depth(self) -> int:
        """The most parts that a file's path has; at least 1."""
        return max((path.count("/") + 1 for path in self.files), default=1)

    def _all(self, path: str) -> bytes:
        return b"".join(self._pieces(path, LARGEST, refuse=False))

    def _pieces(self, path: str, limit: int, *, refuse: bool = True) -> Iterator[bytes]:
        size = 0
        for piece in self._stream(path):
            size += len(piece)
            if size > limit:
                if refuse:
                    raise LinesideError("dataset.file_too_large", file=path, limit=f"{limit >> 20} MiB")
                return
            yield piece

    @cached_property
    def _by_name(self) -> Mapping[str, list[str]]:
        names: dict[str, list[str]] = defaultdict(list)
        for path in self.files:
            names[PurePosixPath(path).name].append(path)
        return names


def is_outside(path: str) -> bool:
    """Whether a path is empty, absolute, has a NUL, or climbs out of its folder."""
    parts = path.replace("\\", "/").split("/")
    return path.startswith(("/", "\\")) or ":" in parts[0] or "\0" in path or ".." in parts or not parts[-1]


def _divided(rest: bytes, piece: bytes | None) -> list[bytes]:
    """Lines with their ends; the last one, which may go on, is empty where nothing more comes."""
    if piece is None:
        return [*rest.splitlines(keepends=True), b""]
    lines = (rest + piece).splitlines(keepends=True) or [b""]
    ended = lines[-1].endswith(b"\n")  # a \r may be half of a \r\n
    return [*lines, b""] if ended else lines


def _decoded(file: str, line: bytes, number: int) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise unreadable(file, f"it is not UTF-8 (byte 0x{line[error.start]:02x})", number) from error
