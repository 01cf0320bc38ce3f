"""Digests of files that were read before: a file with the same place, size, times and inode is not read again.

Kept in `$XDG_CACHE_HOME/lineside/digests.db` (SQLite). It may be removed at any time, and whatever is wrong with it
only means that files are read.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_KEPT_DAYS = 90
_FRESH = 2_000_000_000  # ns: a file that changed just now may change again without its times telling
_AT_ONCE = 1000
_TABLE = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL, day INTEGER NOT NULL
) WITHOUT ROWID
"""


def cache_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Where they are kept for this user."""
    folder = environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(folder).expanduser() / "lineside" / "digests.db"


@contextmanager
def known_digests(file: Path | None = None) -> Iterator[KnownDigests]:
    """What is remembered in `file`, the user's own by default; what was read is added at the end, also of a break."""
    known = KnownDigests(_opened(cache_file() if file is None else file))
    try:
        yield known
    finally:
        known.close()


class KnownDigests:
    """Digests by file; `read` counts the files that had to be read. For one thread."""

    def __init__(self, database: sqlite3.Connection | None = None) -> None:
        """Without a database nothing is remembered."""
        self.read = 0
        self._database = database
        self._day = int(time.time() // 86400)
        self._new: list[tuple[str, str, str, int]] = []

    def digest(self, file: Path) -> str:
        """The digest of a file's content. Raises OSError."""
        path, status = str(file.absolute()), file.stat()
        stamp = f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
        known = self._known(path, stamp)
        if known is None:
            self.read += 1
            known = _digest(file)
            if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _FRESH:
                self._remember(path, stamp, known)
        return known

    def close(self) -> None:
        """Keep what was read."""
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._keep()
                self._database.close()

    def _known(self, path: str, stamp: str) -> str | None:
        if self._database is None:
            return None
        with contextlib.suppress(sqlite3.Error):
            query = "SELECT digest, day FROM files WHERE path = ? AND stamp = ?"
            for digest, day in self._database.execute(query, (path, stamp)):
                if day != self._day:
                    self._remember(path, stamp, digest)
                return str(digest)
        return None

    def _remember(self, path: str, stamp: str, digest: str) -> None:
        self._new.append((path, stamp, digest, self._day))
        if len(self._new) >= _AT_ONCE and self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._keep()

    def _keep(self) -> None:
        if self._database is not None and self._new:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", self._new)
                self._database.execute("DELETE FROM files WHERE day < ?", (self._day - _KEPT_DAYS,))
            self._new.clear()


def _opened(file: Path) -> sqlite3.Connection | None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(file, timeout=2.0)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(_TABLE)
    except (OSError, sqlite3.Error):
        return None
    return database


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()
