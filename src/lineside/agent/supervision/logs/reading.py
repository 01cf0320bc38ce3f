"""Reading logs while they are written and rotated: the last lines, and what comes after them."""

from __future__ import annotations

import os
from pathlib import Path

from lineside.agent.supervision.logs.files import KEEP

_BLOCK = 64 << 10
MOST = 4 << 20
"""Bytes of a log that are looked through for the last lines, at most."""


def tail(path: Path, lines: int, limit: int = MOST) -> str:
    """The last lines of a log, over its rotated files, at most `limit` bytes; what is not UTF-8 is replaced."""
    reader = LogReader(path, lines)
    try:
        found = b""
        while len(found) < limit and (more := reader.read(_BLOCK)):
            found += more
    finally:
        reader.close()
    return found[-limit:].decode(errors="replace")


class LogReader:
    """A log from `lines` lines before its end on. It follows rotation; what was rotated away unread is skipped."""

    def __init__(self, path: Path, lines: int) -> None:
        self._path = path
        self._file: int | None = None
        self._until = (0, 0)  # inode and size of the newest file at the beginning: what is there is given whole
        files = _files(path)
        if files:
            found = files[-1].stat()
            self._until = (found.st_ino, found.st_size)
            start, offset = _start(files, max(0, lines))
            self._file = _open(start)
            if self._file is not None:
                os.lseek(self._file, offset, os.SEEK_SET)

    def read(self, limit: int) -> bytes:
        """At most `limit` bytes of whole lines (a longer line comes in pieces); nothing when there is no more now."""
        while True:
            if self._file is None:
                self._file = _open(self._path)
            if self._file is None:
                return b""
            newer = self._newer()  # before reading: what a file got until it was rotated is read first
            data = self._piece(limit, ended=newer is not None)
            if data or newer is None:
                return data
            self.close()
            self._file = _open(newer)

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _piece(self, limit: int, *, ended: bool) -> bytes:
        assert self._file is not None
        data = os.read(self._file, limit)
        here = os.lseek(self._file, 0, os.SEEK_CUR)
        found = os.fstat(self._file)
        whole = data.rfind(b"\n") + 1
        at_end = here >= found.st_size
        old = self._until[0] == found.st_ino and here <= self._until[1]
        if whole == len(data) or (at_end and (ended or old)) or (not whole and len(data) == limit):
            return data
        os.lseek(self._file, whole - len(data), os.SEEK_CUR)
        return data[:whole]

    def _newer(self) -> Path | None:
        """The file after this one; None while this one is still written."""
        assert self._file is not None
        own = os.fstat(self._file).st_ino
        files = _files(self._path)
        inodes = [_inode(path) for path in files]
        if own not in inodes:
            return files[0] if files else None
        after = inodes.index(own) + 1
        return files[after] if after < len(files) else None


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def _files(path: Path) -> list[Path]:
    """A log's files, oldest first."""
    older = [path.with_name(f"{path.name}.{number}") for number in range(KEEP, 0, -1)]
    return [one for one in (*older, path) if one.exists()]


def _start(files: list[Path], lines: int) -> tuple[Path, int]:
    """Where the last `lines` lines begin: a file and an offset in it."""
    if lines == 0:
        return files[-1], files[-1].stat().st_size
    missing, looked, first = lines, 0, True
    for path in reversed(files):
        with path.open("rb") as file:
            at = file.seek(0, os.SEEK_END)
            while at > 0 and looked < MOST:
                length = min(_BLOCK, at)
                at -= length
                looked += length
                file.seek(at)
                block = file.read(length)
                end = len(block) - 1 if first and block.endswith(b"\n") else len(block)
                first = False
                while (end := block.rfind(b"\n", 0, end)) >= 0:
                    missing -= 1
                    if missing == 0:
                        return path, at + end + 1
    return files[0], 0
