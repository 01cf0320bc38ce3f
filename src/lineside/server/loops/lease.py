"""Leases: leave to run a loop, for a short time, in the database that control planes share.

    take ──► renewed every 2.5 s while the process lives ──► given back when it stops
                                                    └──► runs out after 10 s when it died

Two machines' clocks may differ, so on PostgreSQL the database's own clock decides. A process that was stopped for a
while and goes on may believe that it still has a lease: what it writes then is refused, because every write of a loop
begins by looking (`fence`), in the transaction that nobody else's write comes between.
"""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import String, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.errors import LinesideError
from lineside.server.clock import Clock, parse_rfc3339, rfc3339
from lineside.server.database import Base, Database

LEASE = timedelta(seconds=10)
"""How long a process that died keeps others from its loops. One on the same root goes on at once: see `Leases`."""

RENEW = LEASE.total_seconds() / 4
"""Seconds between two renewals."""

_LONGEST_HOME = 480  # what the column holds, less what tells one start from another


class LeaseRow(Base):
    """Who runs a loop, and until when."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str] = mapped_column(String(512))
    until: Mapped[str] = mapped_column(String(32))


def leases_of(database: Database, clock: Clock, root: Path) -> Leases:
    """The leases of the process that runs on `root`."""
    return Leases(database, clock, home_of(root))


def home_of(root: Path) -> str:
    """The name of a place that one process runs at: R/lock sees to that, but for roots that were copied whole."""
    return f"{socket.gethostname()}:{root.resolve()}"[-_LONGEST_HOME:]


class Leases:
    """The leases of one process. Safe to use from several threads."""

    def __init__(self, database: Database, clock: Clock, home: str) -> None:
        """Those of an earlier process at the same home are taken over at once, when this one asks for the first time.
        Only then: should two processes claim one home, they do not take leases from one another in turns."""
        self._database, self._clock, self._home = database, clock, home
        self.holder = f"{home}#{secrets.token_hex(8)}"
        self._mine: set[str] = set()
        self._asked: set[str] = set()
        self._ended = threading.Event()

    def hold(self, name: str) -> bool:
        """Take or keep the lease; False while another holder has it. Writes only when half of it is used up."""
        with self._database.read() as session:
            row, now = session.get(LeaseRow, name), self._now(session)
        if row is not None and row.holder == self.holder and parse_rfc3339(row.until) - now > LEASE / 2:
            return not self._ended.is_set()
        if row is not None and not self._may_take(row, now):
            self._mine.discard(name)
            return False
        with self._database.write() as session:
            row, now = session.get(LeaseRow, name), self._now(session)
            if self._ended.is_set() or (row is not None and not self._may_take(row, now)):
                self._mine.discard(name)
                return False
            session.merge(LeaseRow(name=name, holder=self.holder, until=rfc3339(now + LEASE)))
        self._asked.add(name)
        self._mine.add(name)
        return True

    def renew(self) -> None:
        """Keep what this process holds while its steps take long; what has run out is not taken again here.

        Not a `write()`: it must not wait for the very step whose lease it keeps. Nothing to do on SQLite, where nobody
        else is.
        """
        if not self._database.shared or not self._mine or self._ended.is_set():
            return
        with Session(self._database.engine) as session, session.begin():
            now = self._now(session)
            held = update(LeaseRow).where(LeaseRow.holder == self.holder, LeaseRow.until > rfc3339(now))
            session.execute(held.values(until=rfc3339(now + LEASE)))

    @contextmanager
    def fence(self, name: str) -> Iterator[None]:
        """Within it, this thread's writes raise `loop.lease_lost` once the lease is another's or has run out. On SQLite
        nobody else is."""
        if not self._database.shared:
            yield
            return

        def check(session: Session) -> None:
            row = session.get(LeaseRow, name)
            if (
                self._ended.is_set()
                or row is None
                or row.holder != self.holder
                or parse_rfc3339(row.until) <= self._now(session)
            ):
                raise LinesideError("loop.lease_lost", loop=name)

        with self._database.checked(check):
            yield

    def give_back(self) -> None:
        """Let others have everything at once; this process takes no lease again. A write that is under way behind a
        fence commits first, and the next is refused."""
        self._ended.set()
        with self._database.write() as session:
            session.execute(delete(LeaseRow).where(LeaseRow.holder == self.holder))
        self._mine.clear()

    def _may_take(self, row: LeaseRow, now: datetime) -> bool:
        if row.holder == self.holder or parse_rfc3339(row.until) <= now:
            return True
        return row.name not in self._asked and row.holder.rpartition("#")[0] == self._home

    def _now(self, session: Session) -> datetime:
        """The time that all holders agree about."""
        if not self._database.shared:
            return self._clock.now()
        now: datetime = session.scalars(select(func.clock_timestamp())).one()
        return now.astimezone(UTC)
