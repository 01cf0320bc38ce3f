"""The root: the one folder everything of a control plane lies in, and the lock that gives it to one process."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

from lineside.contract.errors import LinesideError
from lineside.server.access.audit import Audit
from lineside.server.access.events import Events
from lineside.server.adapters.tuf import open_shelf
from lineside.server.clock import Clock
from lineside.server.database import Database
from lineside.server.object_setup import open_objects
from lineside.server.services import Addresses, Core, Hints, NoHints
from lineside.server.settings import Settings


class Root:
    """A root that this process has for itself until it ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Make the folder when needed, and lock it. Raises `start.root_read_only`, `start.root_in_use`."""
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path):
                self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LinesideError("start.root_read_only", root=path, why=error.strerror) from error
        self._take()
        (path / "keys").mkdir(mode=0o700, exist_ok=True)

    def _take(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(self._lock, 20, 0).decode(errors="replace").strip()
            os.close(self._lock)
            raise LinesideError("start.root_in_use", root=self.path, pid=pid or "unknown") from error
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Give the root back."""
        os.close(self._lock)


def open_core(
    root: Path, settings: Settings, clock: Clock, addresses: Addresses | None = None, hints: Hints | None = None
) -> Core:
    """What rooms need, on `root`. Tables are made by `schema`; close it with `core.database.close()`."""
    database = Database(settings.database_url or f"sqlite:///{root / 'lineside.db'}")
    return Core(
        root=root,
        settings=settings,
        database=database,
        objects=open_objects(root, settings),
        clock=clock,
        events=Events(clock),
        audit=Audit(clock, root, shared=database.shared),
        shelf=open_shelf(database, root / "tuf"),
        addresses=addresses or Addresses(),
        hints=hints or NoHints(),
    )
