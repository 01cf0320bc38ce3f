"""Devices whose groups' deployments do not go together: they keep the document they have, and it is said why."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ForeignKey, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.errors import ErrorReport
from lineside.server.database import Base, Json
from lineside.server.database.among import among
from lineside.server.database.upserts import upsert


class ConflictRow(Base):
    """What a device follows cannot be carried out together, or not on its platform."""

    __tablename__ = "assignment_conflicts"

    device: Mapped[str] = mapped_column(ForeignKey("devices.name", ondelete="CASCADE"), primary_key=True)
    error: Mapped[ErrorReport] = mapped_column(Json(ErrorReport))
    at: Mapped[str] = mapped_column(String(32))


def of(session: Session, devices: Sequence[str]) -> dict[str, ErrorReport]:
    """The conflict of each of these devices that has one."""
    query = select(ConflictRow).where(among(ConflictRow.device, devices))
    return {row.device: row.error for row in session.scalars(query)}


def note(session: Session, devices: Sequence[str], error: ErrorReport, at: str) -> list[str]:
    """Keep what is wrong with these devices; the names of those of whom it was not known."""
    known = of(session, devices)
    new = [device for device in devices if known.get(device) != error]
    upsert(session, ConflictRow, [{"device": device, "error": error, "at": at} for device in new])
    return new


def settled(session: Session, devices: Sequence[str]) -> None:
    """Nothing is wrong with these devices any more."""
    gone = delete(ConflictRow).where(among(ConflictRow.device, devices))
    session.execute(gone, execution_options={"synchronize_session": "fetch"})
