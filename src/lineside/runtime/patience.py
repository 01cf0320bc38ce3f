"""What a start does on a disk that is full or fails: it waits, as the line does later."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from lineside.runtime.announce import announce

_DISK_RETRY = 1.0
_PASSES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})
_PASSES_IN_SQLITE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY})

T = TypeVar("T")


class Stopped(Exception):
    """The process was told to end while it waited for the disk."""


def patiently(stop: Event, make: Callable[[], T]) -> T:
    """What `make` answers, tried again each second while the disk does not let it; the reason is announced when it
    changes. Raises `Stopped` once `stop` is set, and whatever else `make` raises."""
    said = ""
    while True:
        try:
            return make()
        except (OSError, sqlite3.OperationalError) as error:
            if not may_pass(error):
                raise
            why = str(error)
        if why != said:
            announce("disk.failed", why=why)
            said = why
        if stop.wait(_DISK_RETRY):
            raise Stopped


def may_pass(error: OSError | sqlite3.OperationalError) -> bool:
    """Whether it is about a disk that is full or fails, and may be better a moment later."""
    if isinstance(error, OSError):
        return error.errno in _PASSES
    return error.sqlite_errorcode & 0xFF in _PASSES_IN_SQLITE
