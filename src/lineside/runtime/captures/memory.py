"""What captures must remember over restarts: budgets, requests, what was kept today, and what was being written.

One small SQLite file in the work folder. Every word is written before the next image is looked at, and survives the
death of the process; it is not synced, so that no decision waits for it: after a power cut the last seconds may be
missing, never half a word. A file that cannot be read is set aside, and then budgets begin empty, not full.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from lineside.runtime.announce import announce
from lineside.runtime.captures.budgets import DAY, Saved
from lineside.runtime.captures.passed import Mark

FILE = "captures.db"
_TABLES = """
CREATE TABLE IF NOT EXISTS said (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (
    digest TEXT PRIMARY KEY, id TEXT NOT NULL, at REAL NOT NULL, found TEXT NOT NULL, look BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS kept_at ON kept (at);
CREATE TABLE IF NOT EXISTS writing (
    digest TEXT PRIMARY KEY, id TEXT NOT NULL, strategy TEXT NOT NULL, request TEXT NOT NULL, at REAL NOT NULL,
    process TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS requests (id TEXT PRIMARY KEY, kept INTEGER NOT NULL, began REAL NOT NULL, at REAL NOT NULL);
"""
_REQUESTS = 1000  # whose counts are remembered
_REQUEST_DAYS = 60


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    mark: Mark
    budgets: dict[str, Saved]


@dataclass(frozen=True, slots=True)
class Kept:
    """An image that was kept. `look` is its likeness, `found` what was on it."""

    digest: str
    id: str
    at: float  # seconds passed
    found: str
    look: bytes


@dataclass(frozen=True, slots=True)
class Writing:
    """An image that somebody has decided to keep."""

    digest: str
    id: str
    strategy: str
    request: str
    at: float  # seconds passed


class Memory:
    """Once opened, every method may be called from any thread, and raises nothing: what cannot be written is announced
    once."""

    def __init__(self, work: Path | None) -> None:
        """`work` None remembers nothing beyond this object. Raises OSError, sqlite3.OperationalError: a disk that is
        full."""
        self.lost = False
        """Whether there was something to remember that could not be read."""
        self._lock, self._failing = threading.Lock(), False
        self._process = f"{os.getpid()}.{os.urandom(4).hex()}"
        self._db = self._opened(work)
        self._said = self._read_said()

    @property
    def mark(self) -> Mark | None:
        """How much time had passed when something was last written."""
        return self._said.mark if self._said else None

    def budget(self, name: str) -> Saved | None:
        """What was left of a budget."""
        return self._said.budgets.get(name) if self._said else None

    def choose(self, chosen: Writing, mark: Mark, budgets: dict[str, Saved]) -> None:
        """Somebody decided to keep an image, and paid for it."""
        said = msgspec.json.encode(_Said(mark=mark, budgets=budgets))
        with self._writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO writing VALUES (?, ?, ?, ?, ?, ?)",
                (chosen.digest, chosen.id, chosen.strategy, chosen.request, chosen.at, self._process),
            )
            db.execute("INSERT OR REPLACE INTO said VALUES ('now', ?)", (said,))

    def keep(self, kept: Kept, request: str, most: int) -> None:
        """It is in the store. `most` images are remembered."""
        with self._writing() as db:
            db.execute("DELETE FROM writing WHERE digest = ?", (kept.digest,))
            db.execute(
                "INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?, ?)",
                (kept.digest, kept.id, kept.at, kept.found, kept.look),
            )
            for table in ("kept", "writing"):
                db.execute(f"DELETE FROM {table} WHERE at < ?", (kept.at - DAY,))
            db.execute(
                "DELETE FROM kept WHERE digest IN (SELECT digest FROM kept ORDER BY at DESC LIMIT -1 OFFSET ?)", (most,)
            )
            if request:
                db.execute("UPDATE requests SET kept = kept + 1, at = ? WHERE id = ?", (kept.at, request))

    def arrived(self, one: Writing) -> None:
        """One that an earlier process was about to keep is in the store. What it looked like is not known any more."""
        with self._writing() as db:
            db.execute("DELETE FROM writing WHERE digest = ?", (one.digest,))
            db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, '', ?)", (one.digest, one.id, one.at, b""))
            if one.request:
                db.execute("UPDATE requests SET kept = kept + 1, at = ? WHERE id = ?", (one.at, one.request))

    def drop(self, digest: str) -> None:
        """It was not kept after all, which is counted elsewhere."""
        with self._writing() as db:
            db.execute("DELETE FROM writing WHERE digest = ?", (digest,))

    def kept(self) -> list[Kept]:
        """What was kept today, oldest first."""
        return [Kept(*row) for row in self._rows("SELECT digest, id, at, found, look FROM kept ORDER BY at")]

    def interrupted(self) -> list[Writing]:
        """What earlier processes were about to keep when they died."""
        query = "SELECT digest, id, strategy, request, at FROM writing WHERE process != ? ORDER BY at"
        return [Writing(*row) for row in self._rows(query, self._process)]

    def request(self, name: str, now: float) -> tuple[int, float]:
        """How many images a request has got, and when it began (seconds passed): now, if it is new."""
        found = self._rows("SELECT kept, began FROM requests WHERE id = ?", name)
        if found:
            return found[0]
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO requests VALUES (?, 0, ?, ?)", (name, now, now))
            db.execute("DELETE FROM requests WHERE at < ?", (now - _REQUEST_DAYS * DAY,))
            newest = "SELECT id FROM requests ORDER BY at DESC LIMIT -1 OFFSET ?"
            db.execute(f"DELETE FROM requests WHERE id IN ({newest})", (_REQUESTS,))
        return 0, now

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _opened(self, work: Path | None) -> sqlite3.Connection:
        if work is None:
            return _connected(":memory:")
        path = work / FILE
        try:
            return _connected(str(path))
        except sqlite3.OperationalError:
            raise  # a full disk, or locked: nothing is wrong with the file
        except sqlite3.DatabaseError as error:
            self.lost = True
            announce("captures.memory_lost", why=str(error))
        for end in ("", "-wal", "-shm"):
            damaged = path.with_name(path.name + end)
            if damaged.exists():
                damaged.replace(path.with_name(f"{path.name}.damaged{end}"))
        return _connected(str(path))

    def _read_said(self) -> _Said | None:
        try:
            row = self._db.execute("SELECT value FROM said WHERE name = 'now'").fetchone()
            return msgspec.json.decode(row[0], type=_Said) if row else None
        except (sqlite3.Error, msgspec.MsgspecError):
            self.lost = True
            return None

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._db.execute(query, values).fetchall()
            except sqlite3.Error as error:
                announce("captures.memory_lost", why=str(error))
                return []

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                with self._db:
                    yield self._db
                self._failing = False
            except sqlite3.Error as error:
                if not self._failing:
                    announce("disk.failed", why=f"captures are not remembered: {error}")
                self._failing = True


def _connected(path: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, check_same_thread=False, timeout=5.0)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        (fine,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if fine != "ok":
            raise sqlite3.DatabaseError(str(fine))
        db.executescript(_TABLES)
    except BaseException:
        db.close()
        raise
    return db
