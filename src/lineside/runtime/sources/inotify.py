"""What the system notices in a folder: inotify(7), by the C library, on Linux."""

from __future__ import annotations

import ctypes
import os
import select
import struct
from pathlib import Path
from typing import NamedTuple

_CLOSE_WRITE, _MOVED_TO, _DELETE_SELF, _MOVE_SELF = 0x8, 0x80, 0x400, 0x800
_OVERFLOW, _IGNORED = 0x4000, 0x8000
_ONLY_FOLDERS = 0x0100_0000
_GONE = _DELETE_SELF | _MOVE_SELF | _IGNORED
_HEAD = struct.Struct("iIII")  # watch, mask, cookie, length of the name
_BUFFER = 64 * 1024


class Noticed(NamedTuple):
    """Files that their writers closed, or that were moved here, in order; whether some were missed (look at all of
    them then); whether the folder itself went."""

    names: list[str]
    missed: bool = False
    gone: bool = False


class Watch:
    """Notices files in one folder. One thread waits; any thread wakes it."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError where there is no inotify, no such folder, or no watch left (fs.inotify.max_user_watches)."""
        self._wake_reads, self._wake_writes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._file = -1
        try:
            library = ctypes.CDLL(None, use_errno=True)
            self._file = _checked(library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
            mask = _CLOSE_WRITE | _MOVED_TO | _DELETE_SELF | _MOVE_SELF | _ONLY_FOLDERS
            _checked(library.inotify_add_watch(self._file, os.fsencode(folder), ctypes.c_uint32(mask)))
        except AttributeError as error:
            self.close()
            raise OSError("this system has no inotify") from error
        except OSError:
            self.close()
            raise

    def wait(self, seconds: float) -> Noticed:
        """What was noticed since the last call; waits for something at most so long."""
        poll = select.poll()
        poll.register(self._file, select.POLLIN)
        poll.register(self._wake_reads, select.POLLIN)
        ready = {file for file, _ in poll.poll(max(0, round(seconds * 1000)))}
        if self._wake_reads in ready:
            os.read(self._wake_reads, _BUFFER)
        return _parsed(os.read(self._file, _BUFFER)) if self._file in ready else Noticed([])

    def wake(self) -> None:
        """Ends a wait."""
        os.write(self._wake_writes, b"!")

    def close(self) -> None:
        for file in (self._file, self._wake_reads, self._wake_writes):
            if file >= 0:
                os.close(file)


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer


def _parsed(data: bytes) -> Noticed:
    names, missed, gone, place = [], False, False, 0
    while place < len(data):
        _, mask, _, length = _HEAD.unpack_from(data, place)
        place += _HEAD.size + length
        name = data[place - length : place].rstrip(b"\0")
        missed = missed or bool(mask & _OVERFLOW)
        gone = gone or bool(mask & _GONE)
        if mask & (_CLOSE_WRITE | _MOVED_TO) and name:
            names.append(os.fsdecode(name))
    return Noticed(names, missed, gone)
