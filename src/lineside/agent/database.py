"""The agent's one SQLite file: WAL, every commit on disk before it returns, a numbered schema."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SCHEMA = (
    """
    CREATE TABLE facts (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    CREATE TABLE packages (
        name TEXT NOT NULL, version TEXT NOT NULL, package BLOB NOT NULL, PRIMARY KEY (name, version)
    ) STRICT;
    CREATE TABLE verified (document TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (document, target)) STRICT;
    CREATE TABLE processes (pid INTEGER PRIMARY KEY, started INTEGER NOT NULL, name TEXT NOT NULL) STRICT;
    CREATE TABLE outbox (sequence INTEGER PRIMARY KEY AUTOINCREMENT, report BLOB NOT NULL) STRICT;
    """,
    # An older agent leaves the column out: what it queues counts as state, which goes last.
    "ALTER TABLE outbox ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;",
)
"""One script a schema version; `PRAGMA user_version` counts how many have run."""


class Database:
    """A connection that several threads share, one transaction at a time."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._lock = threading.RLock()
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._migrate()

    def _migrate(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        for number, script in enumerate(_SCHEMA[version:], start=version + 1):
            self._connection.executescript(f"BEGIN IMMEDIATE;{script}PRAGMA user_version={number};COMMIT;")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All statements inside are kept together, or none is."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """For queries."""
        with self._lock:
            yield self._connection

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
