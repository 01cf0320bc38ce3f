"""QoS 1 messages on disk, in order, until the broker has acknowledged them.

The drop rule: a message that was taken is never dropped; a full spool refuses the next one (`bus.spool_full`), and its
publisher knows. It survives kill -9 as soon as `append` returns, and a power cut once `sync` has run (the link does so
within a second). A file that cannot be read is put aside as `spool.db.damaged`, and a new one begins.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path

from lineside.agent.bus.ports import BrokerMessage
from lineside.contract.errors import LinesideError

LIMIT_BYTES = 16 << 20
"""Bytes of topics and payloads that may wait."""
ROW_BYTES = 64
"""What a message counts beside its topic and payload."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, size INTEGER NOT NULL, retain INTEGER NOT NULL, topic TEXT NOT NULL,
    payload BLOB NOT NULL
) STRICT
"""
_INSERT = "INSERT INTO messages (size, retain, topic, payload) VALUES (?, ?, ?, ?)"

_log = logging.getLogger(__name__)


class Spool:
    """Messages by a number that grows. Usable from several threads."""

    def __init__(self, path: Path, limit: int = LIMIT_BYTES) -> None:
        self._path = path
        self._limit = limit
        self._lock = threading.Lock()
        self._rows: sqlite3.Connection | None = None
        self._count = self._bytes = 0
        self._unsynced = False

    def append(self, message: BrokerMessage) -> int:
        """Take a message; its number. Raises `bus.spool_full`, also when the disk does not take it."""
        size = _size(message)
        with self._lock:
            try:
                rows = self._open()
                if self._bytes + size > self._limit:
                    raise LinesideError("bus.spool_full", count=self._count, limit=self._limit)
                number = rows.execute(_INSERT, (size, message.retain, message.topic, message.payload)).lastrowid
            except sqlite3.Error as error:
                raise LinesideError("bus.spool_full", count=self._count, limit=f"less ({error})") from error
            self._count, self._bytes, self._unsynced = self._count + 1, self._bytes + size, True
        return number or 0

    def after(self, sequence: int, count: int) -> list[tuple[int, BrokerMessage]]:
        """The next messages above a number, at most `count`, oldest first. Raises sqlite3.Error."""
        query = "SELECT sequence, topic, payload, retain FROM messages WHERE sequence > ? ORDER BY sequence LIMIT ?"
        with self._lock:
            if self._rows is not None and self._count == 0:
                return []
            found = self._open().execute(query, (sequence, count)).fetchall()
        return [
            (number, BrokerMessage(topic=topic, payload=payload, qos=1, retain=bool(retain)))
            for number, topic, payload, retain in found
        ]

    def remove(self, sequences: Iterable[int]) -> None:
        """These have arrived. Raises sqlite3.Error; they are then sent again after the next start."""
        with self._lock:
            rows = self._open()
            rows.execute("BEGIN IMMEDIATE")
            try:
                query = "DELETE FROM messages WHERE sequence = ? RETURNING size"
                gone = [size for one in sequences for (size,) in rows.execute(query, (one,)).fetchall()]
            except BaseException:
                rows.execute("ROLLBACK")
                raise
            rows.execute("COMMIT")
            self._count, self._bytes = self._count - len(gone), self._bytes - sum(gone)

    def sync(self) -> None:
        """Make what waits survive a power cut. Raises sqlite3.Error."""
        with self._lock:
            if self._rows is not None and self._unsynced and self._count:
                self._rows.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self._unsynced = False

    def __len__(self) -> int:
        """How many messages wait."""
        with self._lock:
            if self._rows is None:
                try:
                    self._open()
                except sqlite3.Error:
                    return 0
            return self._count

    @property
    def unsynced(self) -> bool:
        """Whether something waits that `sync` has not made safe."""
        return self._unsynced and self._count > 0

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._rows is not None:
                self._rows.close()
                self._rows = None

    def _open(self) -> sqlite3.Connection:
        if self._rows is None:
            try:
                self._rows = self._connect()
            except sqlite3.OperationalError:
                raise  # the disk's: try again later
            except sqlite3.DatabaseError as error:
                _log.error("the spool cannot be read and begins anew: %s", error)
                self._put_aside()
                self._rows = self._connect()
        return self._rows

    def _connect(self) -> sqlite3.Connection:
        rows = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=10)
        try:
            rows.execute("PRAGMA journal_mode=WAL")
            rows.execute("PRAGMA synchronous=NORMAL")
            rows.execute("PRAGMA cache_size=-128")
            rows.execute(_SCHEMA)
            if rows.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("it is damaged")
            query = "SELECT count(*), coalesce(sum(size), 0) FROM messages"
            self._count, self._bytes = rows.execute(query).fetchone()
        except BaseException:
            rows.close()
            raise
        return rows

    def _put_aside(self) -> None:
        for suffix in ("-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        self._path.replace(f"{self._path}.damaged")


def _size(message: BrokerMessage) -> int:
    return len(message.topic.encode()) + len(message.payload) + ROW_BYTES
