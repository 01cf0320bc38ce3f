"""Processes among others: what a run's process has started, and what it keeps from them.

A process is a run's when it is of the session that the run's process leads, or when the environment that it was started
with has the mark of people's own programs: what such a program puts into a session of its own is found, too.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

_PR_SET_DUMPABLE = 4
MARK = "LINESIDE_RUN_FOLDER"
"""The variable in the environment of people's own programs: the folder of the run that they belong to."""

_ROUNDS = 20  # whoever starts processes faster than they are ended is left alone


def keep_to_oneself() -> None:
    """Programs of the same user, such as people's own steps, may not read this process's memory and environment."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def mark_of(folder: Path) -> str:
    """The value of `MARK` in programs of the run that works in a folder."""
    return str(folder.resolve())


def kill_run(process: BaseProcess, folder: Path) -> None:
    """End the process of the run that works in a folder, and everything it has started."""
    pid = process.pid
    if pid is not None and process.is_alive():
        with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
            os.kill(pid, signal.SIGKILL)
        kill_session(pid)
        kill_marked(folder)


def kill_session(session: int | None) -> None:
    """End every process of a session at once. Where there is no /proc, nothing is found."""
    if session is not None:
        _kill_all(lambda folder: _session_of(folder) == session)


def kill_marked(folder: Path) -> None:
    """End every process, but this one, that has the mark of a folder, or of one below it."""
    mark = f"{MARK}={mark_of(folder)}".encode()
    _kill_all(lambda process: any(one == mark or one.startswith(mark + b"/") for one in _environment(process)))


def _kill_all(is_one: Callable[[Path], bool]) -> None:
    """Until none is found: one that was starting another while it was looked for has ended by the next round."""
    for _ in range(_ROUNDS):
        found = [pid for pid in _living() if pid != os.getpid() and _judged(is_one, pid)]
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return


def _judged(is_one: Callable[[Path], bool], pid: int) -> bool:
    with contextlib.suppress(OSError, IndexError, ValueError):  # it has ended meanwhile, or is another user's
        return is_one(Path(f"/proc/{pid}"))
    return False


def _environment(folder: Path) -> list[bytes]:
    return (folder / "environ").read_bytes().split(b"\0")


def _living() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]


def _session_of(folder: Path) -> int | None:
    """The sixth word of `/proc/PID/stat`, after a name that may hold blanks; None of one that has ended already."""
    words = (folder / "stat").read_text().rpartition(")")[2].split()
    return None if words[0] == "Z" else int(words[3])
