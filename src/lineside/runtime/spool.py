"""The spool: results wait on disk until a sink has them. One SQLite file (WAL, every commit synced).

One transaction writes results together with the inputs they came from, so that a power cut loses both or neither: the
input is then decided again. A torn tail of the write-ahead log fails SQLite's checksums and is cut. Sequence numbers
come from the file, grow by one and survive restarts; the caller shows a result to nobody before `append` has returned,
so a number is never used for two results. Over `max_bytes` the oldest results are dropped and counted.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import RLock
from typing import NamedTuple

MAX_BYTES = 256 * 1024 * 1024

_SCHEMA = """
CREATE TABLE IF NOT EXISTS results (sequence INTEGER PRIMARY KEY AUTOINCREMENT, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS inputs (name TEXT, size INTEGER, mtime_ns INTEGER, PRIMARY KEY (name, size, mtime_ns))
    WITHOUT ROWID;
"""


class InputKey(NamedTuple):
    """What makes an input file the same file as before."""

    name: str
    size: int
    mtime_ns: int


class Entry(NamedTuple):
    """A stored result: its sequence number and its JSON."""

    sequence: int
    payload: bytes


class Spool:
    """Results not yet delivered, and the inputs already decided. Usable from any thread."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, busy_seconds: float = 10.0) -> None:
        """Opens or makes the spool. A file that SQLite cannot read is moved aside to `<name>.damaged`, and numbers go
        on from the clock's milliseconds, which is beyond any number used before."""
        self.path, self.max_bytes, self.dropped, self.recovered = path, max_bytes, 0, False
        self._lock = RLock()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = _opened(path, busy_seconds)
        except sqlite3.OperationalError:
            raise  # locked or not writable: nothing is wrong with the file
        except sqlite3.DatabaseError:
            _move_aside(path)
            self._db = _opened(path, busy_seconds)
            self._db.execute("INSERT INTO sqlite_sequence VALUES ('results', ?)", (time.time_ns() // 1_000_000,))
            self.recovered = True
        (self._bytes,) = self._db.execute("SELECT coalesce(sum(length(payload)), 0) FROM results").fetchone()
        self.next_sequence = self._last() + 1

    def append(self, entries: Sequence[Entry], inputs: Iterable[InputKey] = ()) -> None:
        """Stores results, numbered on from `next_sequence` without a gap, and the inputs that are done. Durable on
        return."""
        with self._lock:
            numbers = [entry.sequence for entry in entries]
            if numbers != list(range(self.next_sequence, self.next_sequence + len(numbers))):
                raise ValueError(f"sequence numbers {numbers[:3]}… do not go on from {self.next_sequence}")
            grown = self._bytes + sum(len(entry.payload) for entry in entries)
            with self._transaction():
                self._db.executemany("INSERT INTO results VALUES (?, ?)", entries)
                self._db.executemany("INSERT OR IGNORE INTO inputs VALUES (?, ?, ?)", inputs)
                dropped, freed = self._drop_oldest(grown - self.max_bytes)
            self._bytes, self.dropped = grown - freed, self.dropped + dropped
            self.next_sequence += len(numbers)

    def after(self, sequence: int, limit: int = 100) -> list[Entry]:
        """The next results after a sequence number, oldest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT sequence, payload FROM results WHERE sequence > ? ORDER BY sequence LIMIT ?", (sequence, limit)
            )
            return [Entry(*row) for row in rows]

    def remove(self, sequences: Iterable[int]) -> None:
        """Forgets delivered results."""
        with self._lock:
            freed = 0
            with self._transaction():
                for number in sequences:
                    row = self._db.execute(
                        "DELETE FROM results WHERE sequence = ? RETURNING length(payload)", (number,)
                    ).fetchone()
                    freed += row[0] if row else 0
            self._bytes -= freed

    def __len__(self) -> int:
        """How many results wait."""
        with self._lock:
            count: int = self._db.execute("SELECT count(*) FROM results").fetchone()[0]
            return count

    def inputs(self) -> set[InputKey]:
        """Every input that is done."""
        with self._lock:
            return {InputKey(*row) for row in self._db.execute("SELECT name, size, mtime_ns FROM inputs")}

    def forget_inputs(self, keys: Iterable[InputKey]) -> None:
        """Drops the memory of inputs that are gone."""
        with self._lock, self._transaction():
            self._db.executemany("DELETE FROM inputs WHERE name = ? AND size = ? AND mtime_ns = ?", keys)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _last(self) -> int:
        row = self._db.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'results'").fetchone()
        return row[0] or 0

    def _drop_oldest(self, excess: int) -> tuple[int, int]:
        """Deletes the oldest results worth at least `excess` bytes; how many and how many bytes."""
        dropped = freed = 0
        while freed < excess:
            row = self._db.execute(
                "DELETE FROM results WHERE sequence = (SELECT min(sequence) FROM results) RETURNING length(payload)"
            ).fetchone()
            if row is None:
                break
            dropped, freed = dropped + 1, freed + row[0]
        return dropped, freed


def _opened(path: Path, busy_seconds: float) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=busy_seconds)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        db.executescript(_SCHEMA)
    except BaseException:
        db.close()
        raise
    return db


def _move_aside(path: Path) -> None:
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.replace(path.with_name(path.name + ".damaged"))
