"""Devices whose groups' deployments do not go together: they keep the document they have, and it is said why."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ForeignKey, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.errors import ErrorReport
from lineside.server.database import Base, Json
from lineside.server.upserts import upsert

AT_ONCE = 500
"""Names in one statement: SQLite allows some thousand parameters."""


class ConflictRow(Base):
    """What a device follows cannot be carried out together, or not on its platform."""

    __tablename__ = "assignment_conflicts"

    device: Mapped[str] = mapped_column(ForeignKey("devices.name", ondelete="CASCADE"), primary_key=True)
    error: Mapped[ErrorReport] = mapped_column(Json(ErrorReport))
    at: Mapped[str] = mapped_column(String(32))


def of(session: Session, devices: Sequence[str]) -> dict[str, ErrorReport]:
    """The conflict of each of these devices that has one."""
    found: dict[str, ErrorReport] = {}
    for start in range(0, len(devices), AT_ONCE):
        query = select(ConflictRow).where(ConflictRow.device.in_(devices[start : start + AT_ONCE]))
        found |= {row.device: row.error for row in session.scalars(query)}
    return found


def note(session: Session, devices: Sequence[str], error: ErrorReport, at: str) -> list[str]:
    """Keep what is wrong with these devices; the names of those of whom it was not known."""
    known = of(session, devices)
    new = [device for device in devices if known.get(device) != error]
    upsert(session, ConflictRow, [{"device": device, "error": error, "at": at} for device in new])
    return new


def settled(session: Session, devices: Sequence[str]) -> None:
    """Nothing is wrong with these devices any more."""
    for start in range(0, len(devices), AT_ONCE):
        gone = delete(ConflictRow).where(ConflictRow.device.in_(devices[start : start + AT_ONCE]))
        session.execute(gone, execution_options={"synchronize_session": "fetch"})
