"""The spool: results wait on disk until every sink has them. One SQLite file (WAL, every commit synced).

One transaction writes a batch of results together with the inputs they came from, so that a power cut loses both or
neither: the inputs are then decided again. The results of a batch lie back to back in one row, each with its checksum:
writing a thousand costs little more than writing one. A torn tail of the write-ahead log fails SQLite's checksums and
is cut; a result whose bytes changed on disk fails its own, is left out and counted (`damaged`).

Sequence numbers grow by one and survive restarts; the caller shows a result to nobody before `append` has returned, so
a number is never used for two results. Each sink has a cursor; a result goes when every sink's cursor has passed it.
Over `max_bytes` the oldest results go, and are counted (`dropped`).
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import NamedTuple

from lineside.runtime.spool_ballast import Ballast
from lineside.runtime.spool_frames import Entry, pack, portions, unpack
from lineside.runtime.spool_marks import LAST, Reserve, read_marks, write_mark

__all__ = ["MAX_BYTES", "Entry", "InputKey", "Spool"]

MAX_BYTES = 256 * 1024 * 1024

# `results` is the table of the format before. It stays, empty, with its numbering: whoever goes back to a runtime of
# then goes on in the same file without using a number twice, and what that one left there is taken over again.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS results (sequence INTEGER PRIMARY KEY AUTOINCREMENT, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS inputs (name TEXT, size INTEGER, mtime_ns INTEGER, PRIMARY KEY (name, size, mtime_ns))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (last INTEGER PRIMARY KEY, count INTEGER NOT NULL, frames BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID;
"""
_READ_ROWS = 8  # rows kept in memory after they were written or read
_TAKEN_OVER = 1000  # results of the earlier format at a time
_INPUTS_AT_ONCE = 64  # rows of one statement: less than half as dear as a statement a row
_INSERT = "INSERT OR IGNORE INTO inputs VALUES "
_ROW = "(?, ?, ?)"
_MANY = _INSERT + ", ".join([_ROW] * _INPUTS_AT_ONCE)


class InputKey(NamedTuple):
    """What makes an input file the same file as before."""

    name: str
    size: int
    mtime_ns: int


class _Held(NamedTuple):
    results: int
    bytes: int


class Spool:
    """Results not yet delivered, and the inputs already decided. Usable from any thread."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, busy_seconds: float = 10.0) -> None:
        """Opens or makes the spool. A file that SQLite cannot read is moved aside to `<name>.damaged`, and numbers go
        on beyond any number used before."""
        self.path, self.max_bytes, self.recovered = path, max_bytes, False
        self.dropped, self.damaged = 0, 0
        self._lock, self._reading = RLock(), RLock()  # who needs both takes them in this order
        self._rows: OrderedDict[int, list[Entry]] = OrderedDict()
        self._known_damaged: set[int] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._reserve, self._ballast = Reserve(path), Ballast(path)
        try:
            self._db = _opened(path, busy_seconds)
            self._take_over()
        except sqlite3.OperationalError:
            raise  # locked or not writable: nothing is wrong with the file
        except sqlite3.DatabaseError:
            self._start_anew(busy_seconds)
        self._reader = _reader(path, busy_seconds)  # sinks do not wait while a batch is synced
        self._cursors = read_marks(self._db)
        self.next_sequence = self._last() + 1
        self._cursors.pop(LAST, None)
        self._written = dict(self._cursors)
        self._held = self._counted("1")
        self._ballast.take()

    # --- writing ----------------------------------------------------------------------------------------------------

    def append(self, entries: Sequence[Entry], inputs: Iterable[InputKey] = ()) -> None:
        """Stores results, numbered on from `next_sequence` without a gap, and the inputs that are done. Durable on
        return."""
        with self._lock:
            numbers = [entry.sequence for entry in entries]
            if numbers != list(range(self.next_sequence, self.next_sequence + len(numbers))):
                raise ValueError(f"sequence numbers {numbers[:3]}… do not go on from {self.next_sequence}")
            last = self.next_sequence + len(numbers) - 1
            self._reserve.cover(last)
            parts = list(portions(entries))
            rows = [(part[-1].sequence, len(part), pack(part)) for part in parts]
            added = _Held(len(numbers), sum(len(frames) for _, _, frames in rows))
            with self._transaction():
                cursors = self._write_cursors()
                gone = self._delete_passed()
                self._db.executemany("INSERT INTO batches VALUES (?, ?, ?)", rows)
                _write_inputs(self._db, list(inputs))
                if rows:
                    _number(self._db, last)
                lost, freed = self._drop_oldest(self._held.bytes - gone.bytes + added.bytes - self.max_bytes)
            self._held = _changed(self._held, added, gone, freed)
            self._written |= cursors
            self.dropped += lost
            self.next_sequence = last + 1
            for part in parts:
                self._remember(part[-1].sequence, list(part))

    def tidy(self) -> None:
        """Writes cursors that have moved, and lets go of what every sink has. Durable on return. Works on a full disk,
        too: what is kept for that (`Ballast`) goes first."""
        with self._lock:
            if self._written == self._cursors:
                return
            try:
                self._let_go()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                    raise
                self._ballast.give()
                self._let_go()
            self._ballast.take()

    def forget_inputs(self, keys: Iterable[InputKey]) -> None:
        """Drops the memory of inputs that are gone."""
        with self._lock, self._transaction():
            self._db.executemany("DELETE FROM inputs WHERE name = ? AND size = ? AND mtime_ns = ?", keys)

    # --- sinks ------------------------------------------------------------------------------------------------------

    def follow(self, names: Collection[str], begins_at: Mapping[str, str] | None = None) -> None:
        """From now on these sinks hold results back, and no others. A new one begins where the sink stands that
        `begins_at` names for it, or else with the oldest result there is: what all others have is gone."""
        if LAST in names:
            raise ValueError("a sink has a name")
        with self._lock:
            first = {name: self._cursors.get(other, 0) for name, other in (begins_at or {}).items()}
            kept = {name: self._cursors.get(name, first.get(name, 0)) for name in names}
            if kept == self._written:
                return
            with self._transaction():
                self._db.execute("DELETE FROM marks WHERE name != ?", (LAST,))
                for name, value in kept.items():
                    write_mark(self._db, name, value)
            self._cursors, self._written = kept, dict(kept)

    def cursor(self, name: str) -> int:
        """The sequence number up to which a sink has everything."""
        return self._cursors[name]

    def advance(self, name: str, sequence: int) -> None:
        """A sink has everything up to here; said by its own thread alone. Reaches the disk with the next `append` or
        `tidy`: after a power cut it may be given a few results again."""
        self._cursors[name] = max(sequence, self._cursors[name])

    # --- reading ----------------------------------------------------------------------------------------------------

    def after(self, sequence: int, limit: int = 100) -> list[Entry]:
        """The next results after a sequence number, oldest first."""
        found: list[Entry] = []
        with self._reading:
            while len(found) < limit:
                row = self._row_after(sequence)
                if row is None:
                    break
                entries = self._read(*row)
                found += [entry for entry in entries if entry.sequence > sequence][: limit - len(found)]
                sequence = row[0]
        return found

    def __len__(self) -> int:
        """How many results wait for a sink at least."""
        with self._lock, self._reading:
            floor = self._floor()
            behind = self._counted("last <= ?", floor).results
            row = self._row_after(floor)
            partly = sum(entry.sequence <= floor for entry in self._read(*row)) if row else 0
            return self._held.results - behind - partly

    def inputs(self) -> set[InputKey]:
        """Every input that is done."""
        with self._lock:
            return {InputKey(*row) for row in self._db.execute("SELECT name, size, mtime_ns FROM inputs")}

    def close(self) -> None:
        """Writes what `advance` was told, if the disk lets it."""
        with self._lock:
            with contextlib.suppress(sqlite3.Error):
                self.tidy()
            with self._reading:
                self._reader.close()
            self._db.close()

    # --- within -----------------------------------------------------------------------------------------------------

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

    def _let_go(self) -> None:
        with self._transaction():
            cursors = self._write_cursors()
            gone = self._delete_passed()
        self._held = _changed(self._held, _Held(0, 0), gone)
        self._written |= cursors

    def _last(self) -> int:
        """The newest number that was used: what three places say, and the end of the reserve when its mark is no
        longer sound."""
        (newest,) = self._db.execute("SELECT coalesce(max(last), 0) FROM batches").fetchone()
        row = self._db.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'results'").fetchone()
        marked = read_marks(self._db).get(LAST)
        if marked is None and self._reserve.until:
            marked = self._reserve.until
        return max(int(newest), row[0] or 0, marked or 0)

    def _start_anew(self, busy_seconds: float) -> None:
        _move_aside(self.path)
        self._db = _opened(self.path, busy_seconds)
        with self._transaction():
            _number(self._db, max(time.time_ns() // 1_000_000, self._reserve.until))
        self.recovered = True

    def _take_over(self) -> None:
        """Makes batches of results in the earlier format."""
        while True:
            with self._transaction():
                rows = self._db.execute("SELECT * FROM results ORDER BY sequence LIMIT ?", (_TAKEN_OVER,)).fetchall()
                if not rows:
                    return
                entries = [Entry(*row) for row in rows]
                for part in portions(entries):
                    batch = part[-1].sequence, len(part), pack(part)
                    self._db.execute("INSERT INTO batches VALUES (?, ?, ?)", batch)
                self._db.execute("DELETE FROM results WHERE sequence <= ?", (entries[-1].sequence,))

    def _read(self, last: int, count: int) -> list[Entry]:
        """The results of a row; those that are damaged are counted the first time."""
        entries = self._rows.get(last)
        if entries is None:
            rows = self._reader.execute("SELECT frames FROM batches WHERE last = ?", (last,)).fetchall()
            if not rows:
                return []  # it has just gone
            entries = unpack(rows[0][0])
            if len(entries) < count and last not in self._known_damaged:
                self._known_damaged.add(last)
                self.damaged += count - len(entries)
            self._remember(last, entries)
        return entries

    def _row_after(self, sequence: int) -> tuple[int, int] | None:
        words = "SELECT last, count FROM batches WHERE last > ? ORDER BY last LIMIT 1"
        rows = self._reader.execute(words, (sequence,)).fetchall()
        return rows[0] if rows else None

    def _remember(self, last: int, entries: list[Entry]) -> None:
        with self._reading:
            self._rows[last] = entries
            while len(self._rows) > _READ_ROWS:
                self._rows.popitem(last=False)

    def _floor(self) -> int:
        return min(self._cursors.values(), default=0)

    def _counted(self, condition: str, *values: int) -> _Held:
        words = f"SELECT coalesce(sum(count), 0), coalesce(sum(length(frames)), 0) FROM batches WHERE {condition}"
        return _Held(*self._db.execute(words, values).fetchone())

    def _write_cursors(self) -> dict[str, int]:
        moved = {name: value for name, value in self._cursors.items() if self._written.get(name) != value}
        for name, value in moved.items():
            write_mark(self._db, name, value)
        return moved

    def _delete_passed(self) -> _Held:
        floor = self._floor()
        gone = self._counted("last <= ?", floor)
        if gone.results:
            self._db.execute("DELETE FROM batches WHERE last <= ?", (floor,))
        return gone

    def _drop_oldest(self, excess: int) -> tuple[int, _Held]:
        """Deletes the oldest rows worth at least `excess` bytes; how many results are lost to a sink, and what went."""
        lost, freed, floor = 0, _Held(0, 0), self._floor()
        while freed.bytes < excess:
            row = self._db.execute("SELECT last, count, length(frames) FROM batches ORDER BY last LIMIT 1").fetchone()
            if row is None:
                break
            last, count, size = row
            lost += min(count, last - floor)
            self._db.execute("DELETE FROM batches WHERE last = ?", (last,))
            freed = _Held(freed.results + count, freed.bytes + size)
        return lost, freed


def _changed(held: _Held, added: _Held, *gone: _Held) -> _Held:
    return _Held(
        held.results + added.results - sum(each.results for each in gone),
        held.bytes + added.bytes - sum(each.bytes for each in gone),
    )


def _write_inputs(db: sqlite3.Connection, keys: Sequence[InputKey]) -> None:
    """Within the caller's transaction."""
    whole = len(keys) - len(keys) % _INPUTS_AT_ONCE
    for start in range(0, whole, _INPUTS_AT_ONCE):
        db.execute(_MANY, [value for key in keys[start : start + _INPUTS_AT_ONCE] for value in key])
    db.executemany(_INSERT + _ROW, keys[whole:])


def _number(db: sqlite3.Connection, last: int) -> None:
    """Notes the newest number, also where the earlier format looks for it."""
    write_mark(db, LAST, last)
    changed = db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'results'", (last,))
    if changed.rowcount == 0:
        db.execute("INSERT INTO sqlite_sequence VALUES ('results', ?)", (last,))


def _opened(path: Path, busy_seconds: float) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=busy_seconds)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = OFF")  # on, freeing room needs room: what goes is overwritten
        db.execute("PRAGMA cache_size = -3000")  # KiB: the pages of a whole batch, which are let go soon after
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        db.executescript(_SCHEMA)
    except BaseException:
        db.close()
        raise
    return db


def _reader(path: Path, busy_seconds: float) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=busy_seconds)
    db.execute("PRAGMA query_only = ON")
    return db


def _move_aside(path: Path) -> None:
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.replace(path.with_name(path.name + ".damaged"))
