"""Results to disk at full durability: in the batches that delivery makes, against one commit a message.

    python -m benchmarks.runtime_spool [--quick] [--json]

Results of five detections, encoded beforehand as the deciding threads do it, are appended together with the files that
they came from, synced, read back for a sink, and let go. `one commit a message` is a spool that commits each result
alone; `SQLite, a row a message` is one transaction of plain rows a batch, as a queue in SQLite usually is. Rounds are
interleaved; a round is as many results as fit into its time. The disk is the one of the temporary folder (TMPDIR).
"""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks.measure import finish, options, table
from lineside.contract.result import Detection, Result
from lineside.runtime.spool import Entry, InputKey, Spool

BATCH = 2048  # what delivery gathers at most while the disk is busy
_DETECTIONS = tuple(
    Detection(label="scratch", class_index=1, confidence=0.875, x=100.5 + n, y=200.25, width=64.0, height=48.5)
    for n in range(5)
)


def result(sequence: int) -> Result:
    """A result as a device makes it."""
    return Result(
        device="station-7",
        model="detector",
        version=12,
        digest="sha256:" + "0" * 64,
        image=f"cam-1/{sequence:09}.jpg",
        captured_at="2026-01-01T00:00:00.000Z",
        sequence=sequence,
        width=1920,
        height=1080,
        latency_ms=10.125,
        detections=_DETECTIONS,
    )


class Spooling:
    """A spool that is filled and emptied."""

    def __init__(self, folder: Path, batch: int) -> None:
        self.batch = batch
        self.spool = Spool(folder / f"spool-{batch}.db")
        self.spool.follow(["sink"])

    @property
    def next(self) -> int:
        """The next sequence number."""
        return self.spool.next_sequence

    def store(self, entries: list[Entry], keys: list[InputKey]) -> None:
        """One batch through."""
        self.spool.append(entries, keys)
        given = self.spool.after(entries[0].sequence - 1, self.batch)
        self.spool.advance("sink", given[-1].sequence)


class PlainRows:
    """A queue in SQLite as it is usually written."""

    batch = BATCH

    def __init__(self, folder: Path) -> None:
        self.db = sqlite3.connect(folder / "plain.db", isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.execute("CREATE TABLE results (sequence INTEGER PRIMARY KEY AUTOINCREMENT, payload BLOB)")
        self.db.execute("CREATE TABLE inputs (name TEXT, size INTEGER, mtime_ns INTEGER, PRIMARY KEY (name, size))")
        self.next = 1

    def store(self, entries: list[Entry], keys: list[InputKey]) -> None:
        """One batch through."""
        self.db.execute("BEGIN IMMEDIATE")
        self.db.executemany("INSERT INTO results VALUES (?, ?)", entries)
        self.db.executemany("INSERT INTO inputs VALUES (?, ?, ?)", keys)
        self.db.execute("COMMIT")
        self.db.execute("SELECT * FROM results ORDER BY sequence LIMIT ?", (self.batch,)).fetchall()
        self.db.execute("DELETE FROM results WHERE sequence < ?", (self.next + self.batch,))
        self.next += self.batch


def rate(contender: Spooling | PlainRows, seconds: float) -> float:
    """Results a second over about so many seconds of storing."""
    passed, done = 0.0, 0
    while passed < seconds:
        numbers = range(contender.next, contender.next + contender.batch)
        entries = [Entry(number, msgspec.json.encode(result(number))) for number in numbers]
        keys = [InputKey(f"{number:09}.jpg", 250_000, number) for number in numbers]
        started = time.perf_counter()
        contender.store(entries, keys)
        passed += time.perf_counter() - started
        done += len(entries)
    return done / passed


def main() -> None:
    chosen = options(__doc__ or "")
    rounds, seconds = (5, 0.8) if chosen.quick else (9, 3.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        contenders: dict[str, Spooling | PlainRows] = {
            f"lineside, batches of {BATCH}": Spooling(folder, BATCH),
            "lineside, batches of 256": Spooling(folder, 256),
            f"SQLite, a row a message, batches of {BATCH}": PlainRows(folder),
            "one commit a message": Spooling(folder, 1),
        }
        rates: dict[str, list[float]] = {label: [] for label in contenders}
        for number in range(rounds + 1):
            for label, contender in contenders.items():
                found = rate(contender, seconds)
                if number > 0:  # the first round warms up
                    rates[label].append(found)
    rows = [("contender", "results a second", "rounds from", "to")]
    rows += [(label, f"{statistics.median(r):,.0f}", f"{min(r):,.0f}", f"{max(r):,.0f}") for label, r in rates.items()]
    print(table(rows))
    batched, _, _, alone = (statistics.median(each) for each in rates.values())
    finish({"spool_per_s": round(batched), "times_one_commit": round(batched / alone, 1)}, as_json=chosen.json)


if __name__ == "__main__":
    main()
