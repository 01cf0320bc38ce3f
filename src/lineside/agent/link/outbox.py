"""Reports that wait for the control plane: sequenced, on disk, sent at least once until acknowledged. The control plane
stores each number once, so each has its effect exactly once.

Bounded, by number and bytes. The drop rule: samples go first, then telemetry, then alarms, then state, of each the
oldest; the newest report of state is never dropped. While the disk takes nothing, the newest report waits in memory.
"""

from __future__ import annotations

import enum
import sqlite3
import threading
from collections.abc import Callable

import msgspec

from lineside.agent import crash
from lineside.agent.database import Database
from lineside.agent.ports import ControlPlane
from lineside.contract.reported import Report

LIMIT = 500
LIMIT_BYTES = 2 << 20
BATCH = 100

_DROP = """
DELETE FROM outbox WHERE sequence = (
    SELECT sequence FROM outbox WHERE sequence IS NOT (SELECT max(sequence) FROM outbox WHERE priority = 0)
    ORDER BY priority DESC, sequence LIMIT 1
)
"""


class Priority(enum.IntEnum):
    """What a report brings that the one before it did not; every report tells the whole state all the same."""

    STATE = 0  # what runs, and for which revision
    ALARM = 1  # what is wrong with the device
    TELEMETRY = 2  # how much it uses
    SAMPLE = 3  # what components measured


class Outbox:
    """Reports by sequence number; numbers grow over restarts and are never used twice. `failed` hears of the disk."""

    def __init__(self, database: Database, failed: Callable[[BaseException], object] = lambda error: None) -> None:
        self._database = database
        self._failed = failed
        self._lock = threading.RLock()
        self._last = 0  # the highest number that was given or acknowledged, as far as this process knows
        self._accepted = 0
        self._held: Report | None = None  # the newest, while the disk takes nothing

    def add(self, make: Callable[[int], Report], priority: Priority = Priority.STATE) -> Report:
        """Queue the report that `make` builds for the next sequence number."""
        with self._lock:
            try:
                report = self._write(make, priority)
            except (sqlite3.Error, OSError) as error:
                self._failed(error)
                self._held = report = make(self._last + 1)
            else:
                self._held = None
            self._last = report.sequence
        crash.point("report.queued")
        return report

    def newest(self) -> Report | None:
        """The report that was queued last, acknowledged or not."""
        if self._held is not None:
            return self._held
        with self._database.reading() as rows:
            found = rows.execute("SELECT value FROM facts WHERE key = 'reported'").fetchone()
        return None if found is None else msgspec.json.decode(found[0], type=Report)

    def waiting(self) -> tuple[Report, ...]:
        """The oldest reports that wait, at most `BATCH`."""
        held = () if self._held is None else (self._held,)
        try:
            with self._database.reading() as rows:
                query = "SELECT report FROM outbox WHERE sequence > ? ORDER BY sequence LIMIT ?"
                found = rows.execute(query, (self._accepted, BATCH - len(held))).fetchall()
        except sqlite3.Error as error:
            self._failed(error)
            found = []
        return tuple(msgspec.json.decode(report, type=Report) for (report,) in found) + held

    def acknowledge(self, accepted: int) -> None:
        """Everything up to `accepted` has arrived."""
        with self._lock:
            self._accepted = accepted
            if self._held is not None and self._held.sequence <= accepted:
                self._held = None
            try:
                with self._database.transaction() as rows:
                    rows.execute("DELETE FROM outbox WHERE sequence <= ?", (accepted,))
            except (sqlite3.Error, OSError) as error:
                self._failed(error)  # they are not sent again by this process, and do no harm if the next one does

    def flush(self, control: ControlPlane) -> None:
        """Send what waits, oldest first. Raises what `control` raises; what was not acknowledged stays."""
        while reports := self.waiting():
            accepted = control.report(reports)
            if accepted > reports[-1].sequence:
                self._continue_after(accepted)
                return
            self.acknowledge(accepted)
            if accepted < reports[-1].sequence:
                return

    def _write(self, make: Callable[[int], Report], priority: Priority) -> Report:
        with self._database.transaction() as rows:
            found = rows.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
            report = make(max(self._last, found[0] if found else 0) + 1)
            data = msgspec.json.encode(report)
            query = "INSERT INTO outbox (sequence, report, priority) VALUES (?, ?, ?)"
            rows.execute(query, (report.sequence, data, int(priority)))
            self._trim(rows)
            rows.execute("INSERT OR REPLACE INTO facts VALUES ('reported', ?)", (data,))
        return report

    def _trim(self, rows: sqlite3.Connection) -> None:
        """Drop by the rule until what waits is within its bounds."""
        while True:
            count, size = rows.execute("SELECT count(*), sum(length(report)) FROM outbox").fetchone()
            if count <= 1 or (count <= LIMIT and size <= LIMIT_BYTES):
                return
            if rows.execute(_DROP).rowcount == 0:
                return

    def _continue_after(self, accepted: int) -> None:
        """The control plane knows later numbers than ours (this root was made anew): go on above them."""
        newest = self.newest()
        with self._lock:
            self.acknowledge(accepted)
            self._last = max(self._last, accepted)
        if newest is not None:
            self.add(lambda sequence: msgspec.structs.replace(newest, sequence=sequence))
