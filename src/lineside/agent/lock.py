"""One agent a root: an advisory lock on `<root>/lock`, which holds the agent's pid and goes when the process does.

A killed agent's lock may outlive it for moments: a child that it had just forked holds the file until it runs its own
program. So a lock whose agent is dead is waited for.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lineside.agent.paths import Paths
from lineside.contract.errors import LinesideError

LEFT_BEHIND = 10.0
"""Seconds to wait for the lock of an agent that is dead."""


@contextmanager
def locked(paths: Paths) -> Iterator[None]:
    """Hold the root. Raises `agent.root_in_use`, `agent.root_read_only`."""
    try:
        paths.root.mkdir(parents=True, exist_ok=True)
        handle = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LinesideError("agent.root_read_only", root=paths.root) from error
    try:
        _take(handle, paths)
        yield
    finally:
        os.close(handle)


def _take(handle: int, paths: Paths) -> None:
    until = time.monotonic() + LEFT_BEHIND
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError as error:
            pid = _pid(handle)
            if _lives(pid) or time.monotonic() > until:
                raise LinesideError("agent.root_in_use", root=paths.root, pid=pid or "?") from error
            time.sleep(0.02)
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)


def _pid(handle: int) -> int:
    """Who wrote the lock; 0 when it has not written yet."""
    text = os.pread(handle, 32, 0).decode(errors="replace")
    return int(text) if text.isdigit() else 0


def _lives(pid: int) -> bool:
    """Whether the process runs; one that nobody has waited for yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in (b"Z", b"X")


def holder(paths: Paths) -> int | None:
    """The pid of the agent that runs on a root, or None."""
    try:
        handle = os.open(paths.lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid(handle) or None
    finally:
        os.close(handle)
    return None
