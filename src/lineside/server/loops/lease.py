"""Leases: leave to run a loop, for a short time, in the database that all processes share."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from lineside.server.clock import Clock, parse_rfc3339, rfc3339
from lineside.server.database import Base, Database

LEASE = timedelta(seconds=15)
"""How long a process that died keeps others from its loops. One on the same root goes on at once: see `holder_of`."""


class LeaseRow(Base):
    """Who runs a loop, and until when."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str] = mapped_column(String(512))
    until: Mapped[str] = mapped_column(String(32))


def holder_of(root: Path) -> str:
    """The name of whoever runs on `root`. Only one process can (R/lock), so it survives a restart."""
    return f"{socket.gethostname()}:{root.resolve()}"


class Leases:
    """The leases of one holder."""

    def __init__(self, database: Database, clock: Clock, holder: str) -> None:
        self._database, self._clock, self._holder = database, clock, holder

    def hold(self, name: str) -> bool:
        """Take or keep the lease; False while another holder has it. Writes only when a third of it is used up."""
        now = self._clock.now()
        with self._database.read() as session:
            row = session.get(LeaseRow, name)
        if row is not None and row.holder == self._holder and parse_rfc3339(row.until) - now > LEASE * 2 / 3:
            return True
        with self._database.write() as session:
            row = session.get(LeaseRow, name)
            if row is not None and row.holder != self._holder and parse_rfc3339(row.until) > now:
                return False
            session.merge(LeaseRow(name=name, holder=self._holder, until=rfc3339(now + LEASE)))
            return True
