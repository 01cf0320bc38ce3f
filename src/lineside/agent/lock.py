"""One agent a root: an advisory lock on `<root>/lock`, which holds the agent's pid and goes when the process does."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from lineside.agent.paths import Paths
from lineside.contract.errors import LinesideError


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
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise LinesideError("agent.root_in_use", root=paths.root, pid=os.pread(handle, 32, 0).decode()) from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)


def holder(paths: Paths) -> int | None:
    """The pid of the agent that runs on a root, or None."""
    try:
        handle = os.open(paths.lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.pread(handle, 32, 0).decode() or "0") or None
    finally:
        os.close(handle)
    return None
