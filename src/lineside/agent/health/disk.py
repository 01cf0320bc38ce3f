"""What an error of the disk means, and whether it has passed."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from lineside.agent.health.conditions import Conditions
from lineside.contract.errors import LinesideError

RESERVE = 16 << 20
"""Bytes below which a disk counts as full, though a write may still work."""
CODES = ("device.disk_full", "device.disk_read_only", "device.disk_error")

_BY_ERRNO = {
    errno.ENOSPC: "device.disk_full",
    errno.EDQUOT: "device.disk_full",
    errno.EROFS: "device.disk_read_only",
    errno.EIO: "device.disk_error",
    errno.EUCLEAN: "device.disk_error",
    errno.ENODEV: "device.disk_error",
    errno.ENXIO: "device.disk_error",
}
_BY_SQLITE = {
    sqlite3.SQLITE_FULL: "device.disk_full",
    sqlite3.SQLITE_READONLY: "device.disk_read_only",
    sqlite3.SQLITE_IOERR: "device.disk_error",
    sqlite3.SQLITE_CANTOPEN: "device.disk_error",
    sqlite3.SQLITE_CORRUPT: "device.disk_error",
}


def disk_problem(error: BaseException, root: Path) -> LinesideError | None:
    """The condition an exception of a file or of SQLite stands for, or None when it is not about the disk."""
    code: str | None = None
    if isinstance(error, sqlite3.Error):
        number = getattr(error, "sqlite_errorcode", None)  # errors that Python itself raises have none
        code = _BY_SQLITE.get(number & 0xFF) if number is not None else None
    elif isinstance(error, OSError):
        code = _BY_ERRNO.get(error.errno or 0)
    return None if code is None else LinesideError(code, root=root, why=error)


class DiskWatch:
    """Keeps the conditions of the disk below `root`: set from errors that were met, cleared by a write that works."""

    def __init__(self, root: Path, conditions: Conditions) -> None:
        self._root = root
        self._conditions = conditions

    def met(self, error: BaseException) -> bool:
        """Take note of an exception; whether it was the disk's."""
        problem = disk_problem(error, self._root)
        if problem is None:
            return False
        self._conditions.clear(*(code for code in CODES if code != problem.code))
        self._conditions.put(problem)
        return True

    def look(self) -> None:
        """Cheap while all is well (flags are read, nothing is written); while a condition holds, try a write."""
        doubtful = any(self._conditions.holds(code) for code in CODES)
        try:
            problem = disk_now(self._root, writing=doubtful)
        except OSError as error:
            self.met(error)
            return
        if problem is not None:
            self._conditions.put(problem)
        self._conditions.clear(*(code for code in CODES if problem is None or code != problem.code))


def disk_now(root: Path, *, writing: bool) -> LinesideError | None:
    """What is wrong with the disk below `root`, by its flags and free space, or by a write. Raises OSError."""
    found = os.statvfs(root)
    if found.f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    if writing:
        try_write(root)
    if found.f_bavail * found.f_frsize < RESERVE:
        return LinesideError("device.disk_full", root=root, why=f"less than {RESERVE >> 20} MiB are free")
    return None


def try_write(root: Path) -> None:
    """Write and sync a few bytes, and take them away again. Raises OSError."""
    path = root / ".written"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, b"\0" * 4096)
        os.fsync(handle)
    finally:
        os.close(handle)
        path.unlink()
