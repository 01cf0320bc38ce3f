"""Processes among others: what a run's process has started, and what it keeps from them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

_PR_SET_DUMPABLE = 4


def keep_to_oneself() -> None:
    """Programs of the same user, such as people's own steps, may not read this process's memory and environment."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def kill_run(process: BaseProcess) -> None:
    """End a run's process, and everything it has started."""
    pid = process.pid
    if pid is not None and process.is_alive():
        with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
            os.kill(pid, signal.SIGKILL)
        kill_session(pid)


def kill_session(session: int | None) -> None:
    """End every process of a session at once. Where there is no /proc, nothing is found."""
    if session is None:
        return
    for pid in _members(session):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _members(session: int) -> list[int]:
    """The processes of a session; the sixth word of `/proc/PID/stat` names it, after a name that may hold blanks."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            words = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(words[3]) == session:
                found.append(int(folder.name))
    return found
