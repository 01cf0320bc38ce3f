"""Reports that wait for the control plane: sequenced, on disk, sent at least once until acknowledged.

Bounded: when more than `LIMIT` wait, the oldest go first; the newest state is never dropped.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from lineside.agent import crash
from lineside.agent.database import Database
from lineside.agent.ports import ControlPlane
from lineside.contract.reported import Report

LIMIT = 500
BATCH = 100


class Outbox:
    """Reports by sequence number; numbers grow over restarts and are never used twice."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, make: Callable[[int], Report]) -> Report:
        """Queue the report that `make` builds for the next sequence number."""
        with self._database.transaction() as rows:
            cursor = rows.execute("INSERT INTO outbox (report) VALUES (x'')")
            sequence = cursor.lastrowid or 0
            report = make(sequence)
            rows.execute("UPDATE outbox SET report = ? WHERE sequence = ?", (msgspec.json.encode(report), sequence))
            rows.execute("DELETE FROM outbox WHERE sequence <= ?", (sequence - LIMIT,))
            rows.execute("INSERT OR REPLACE INTO facts VALUES ('reported', ?)", (msgspec.json.encode(report),))
        crash.point("report.queued")
        return report

    def newest(self) -> Report | None:
        """The report that was queued last, acknowledged or not."""
        with self._database.reading() as rows:
            found = rows.execute("SELECT value FROM facts WHERE key = 'reported'").fetchone()
        return None if found is None else msgspec.json.decode(found[0], type=Report)

    def waiting(self) -> tuple[Report, ...]:
        """The oldest reports that wait, at most `BATCH`."""
        with self._database.reading() as rows:
            query = "SELECT report FROM outbox ORDER BY sequence LIMIT ?"
            found = rows.execute(query, (BATCH,)).fetchall()
        return tuple(msgspec.json.decode(report, type=Report) for (report,) in found)

    def acknowledge(self, accepted: int) -> None:
        """Everything up to `accepted` has arrived."""
        with self._database.transaction() as rows:
            rows.execute("DELETE FROM outbox WHERE sequence <= ?", (accepted,))

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

    def _continue_after(self, accepted: int) -> None:
        """The control plane knows later numbers than ours (this root was made anew): go on above them."""
        newest = self.newest()
        with self._database.transaction() as rows:
            rows.execute("DELETE FROM outbox")
            if newest is not None:
                again = msgspec.structs.replace(newest, sequence=accepted + 1)
                values = (accepted + 1, msgspec.json.encode(again))
                rows.execute("INSERT INTO outbox (sequence, report) VALUES (?, ?)", values)
