"""Inside an agent's process: every file operation below its root, by whatever library, written down as it happens.

Python's audit hooks see each open, rename, link, unlink, mkdir and truncate before it happens, so that nothing has to
be written for this to work and nothing can go round it; `os.fsync` is replaced by one that writes down what it synced.
What only a power cut could bring back (a file that is unlinked or replaced) is kept by a hard link, a file that is
emptied by a copy. SQLite's own files are no part of this: what of them is on disk, SQLite knows (`loss.sqlite_tail`).

With `die_at` the process is killed by SIGKILL right before that operation; with `faults` the disk refuses.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.agent.disk.faults import Faults

_WRITES = os.O_WRONLY | os.O_RDWR


class Recorder:
    """Writes `journal/events`, one JSON list a line, and keeps old bytes beside it."""

    def __init__(self, root: Path, journal: Path, *, die_at: int | None = None, faults: Faults | None = None) -> None:
        self._root = str(root)
        self._journal = journal
        journal.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._events = os.open(journal / "events", flags)
        self._die_at = die_at
        self._faults = faults
        self._numbers = itertools.count()
        self._count = itertools.count(1)
        self._inside = threading.local()
        self._handlers: dict[str, Callable[..., None]] = {
            "open": self._open,
            "os.rename": self._rename,
            "os.remove": self._remove,
            "os.rmdir": self._rmdir,
            "os.mkdir": self._mkdir,
            "os.link": self._link,
            "os.symlink": self._symlink,
            "os.truncate": self._truncate,
        }

    def install(self) -> None:
        """From here on until the process ends."""
        for name in ("fsync", "fdatasync"):
            setattr(os, name, self._syncing(getattr(os, name)))
        os.open = self._opening(os.open)  # the audit event of an open does not say below which directory handle
        os.supports_dir_fd.add(os.open)
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        handler = self._handlers.get(event)
        if handler is None or getattr(self._inside, "busy", False):
            return
        self._inside.busy = True
        try:
            handler(*arguments)
        finally:
            self._inside.busy = False

    # --- what happens ---------------------------------------------------------------------------------------------

    def _open(self, path: Any, mode: str | None, flags: int) -> None:
        if not flags & _WRITES or isinstance(path, int):
            return
        name = self._below(path, getattr(self._inside, "at", -1))
        if name is None:
            return
        try:
            found = os.stat(name)
        except FileNotFoundError:
            if flags & os.O_CREAT:
                self._say(name, "create", name)
            return
        if flags & os.O_EXCL or not stat.S_ISREG(found.st_mode):
            return
        append = bool(flags & os.O_APPEND)
        old = self._copied(name) if flags & os.O_TRUNC else None
        self._say(name, "open", name, found.st_size, append, old)

    def _rename(self, source: Any, target: Any, source_at: int, target_at: int) -> None:
        old, new = self._below(source, source_at), self._below(target, target_at)
        if old is not None and new is not None and os.path.lexists(old):
            self._say(new, "rename", old, new, self._linked(new))

    def _remove(self, path: Any, at: int) -> None:
        name = self._below(path, at)
        if name is not None and os.path.lexists(name):
            self._say(name, "unlink", name, self._linked(name))

    def _rmdir(self, path: Any, at: int) -> None:
        name = self._below(path, at)
        if name is not None and os.path.isdir(name) and not os.listdir(name):
            self._say(name, "rmdir", name)

    def _mkdir(self, path: Any, mode: int, at: int) -> None:
        name = self._below(path, at)
        if name is not None and not os.path.lexists(name) and os.path.isdir(os.path.dirname(name)):
            self._say(name, "mkdir", name)

    def _link(self, source: Any, target: Any, source_at: int, target_at: int) -> None:
        old, new = self._below(source, source_at), self._below(target, target_at)
        if old is not None and new is not None and not os.path.lexists(new):
            self._say(new, "link", old, new)

    def _symlink(self, source: Any, target: Any, at: int) -> None:
        name = self._below(target, at)
        if name is not None and not os.path.lexists(name):
            self._say(name, "symlink", name)

    def _truncate(self, path: Any, length: int) -> None:
        name = self._below(os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else path)
        if name is not None:
            self._say(name, "open", name, os.path.getsize(name), False, self._copied(name))

    def _opening(self, really: Callable[..., int]) -> Callable[..., int]:
        def opened(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            self._inside.at = -1 if dir_fd is None else dir_fd
            try:
                return really(path, flags, mode, dir_fd=dir_fd)
            finally:
                self._inside.at = -1

        return opened

    def _syncing(self, really: Callable[[Any], None]) -> Callable[[Any], None]:
        def sync(handle: Any) -> None:
            number = handle if isinstance(handle, int) else handle.fileno()
            name = self._below(os.readlink(f"/proc/self/fd/{number}"))
            if name is not None:
                self._before(name, "sync")
            really(handle)
            if name is not None:
                self._write("sync", name, os.fstat(number).st_size)

        return sync

    # --- writing it down ------------------------------------------------------------------------------------------

    def _below(self, path: Any, at: int = -1) -> str | None:
        """The absolute path, if it is the root or below it."""
        name = os.path.join(os.readlink(f"/proc/self/fd/{at}") if at >= 0 else "", os.fsdecode(path))
        name = os.path.abspath(name)
        return name if f"{name}/".startswith(f"{self._root}/") else None

    def _linked(self, name: str) -> str | None:
        """Another name for a file that is about to lose this one."""
        if not os.path.lexists(name) or os.path.isdir(name):
            return None
        kept = self._next()
        os.link(name, kept, follow_symlinks=False)
        return kept

    def _next(self) -> str:
        return str(self._journal / f"{os.getpid()}-{next(self._numbers)}")

    def _copied(self, name: str) -> str:
        kept = self._next()
        shutil.copyfile(name, kept)
        return kept

    def _say(self, name: str, *event: object) -> None:
        self._before(name, str(event[0]))
        self._write(*event)

    def _before(self, name: str, kind: str) -> None:
        if next(self._count) == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._faults is not None:
            self._faults.check(name, kind)

    def _write(self, *event: object) -> None:
        os.write(self._events, json.dumps(event).encode() + b"\n")
