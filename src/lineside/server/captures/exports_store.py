"""The table of exports and its queries."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import CursorResult, Index, String, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.export import Export, ExportRecord
from lineside.server.database import Base, Json


class ExportRow(Base):
    """An export with its one ticket: announced, and some time later uploaded."""

    __tablename__ = "exports"
    __table_args__ = (
        Index("ix_exports_device_requested_at", "device", "requested_at"),
        Index("ix_exports_device_uploaded_at", "device", "uploaded_at"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    device: Mapped[str] = mapped_column(String(64))
    record: Mapped[ExportRecord] = mapped_column(Json(ExportRecord))
    requested_at: Mapped[str] = mapped_column(String(32))
    ticket: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[str] = mapped_column(String(32))
    uploaded_at: Mapped[str | None] = mapped_column(String(32), default=None)

    def value(self) -> Export:
        """The row as it travels."""
        return Export(record=self.record, requested_at=self.requested_at, uploaded_at=self.uploaded_at)


def by_ticket(session: Session, ticket: str, device: str) -> ExportRow | None:
    """The export of a device's ticket; another device's is none."""
    return session.scalar(select(ExportRow).where(ExportRow.ticket == ticket, ExportRow.device == device))


def announced_since(session: Session, device: str, since: str) -> int:
    """How many exports a device has announced since a time."""
    query = select(func.count()).select_from(ExportRow)
    return session.scalar(query.where(ExportRow.device == device, ExportRow.requested_at > since)) or 0


def mark_uploaded(session: Session, export_id: str, at: str) -> bool:
    """The content of an export is there; whether it was not before."""
    change = update(ExportRow).where(ExportRow.id == export_id, ExportRow.uploaded_at.is_(None)).values(uploaded_at=at)
    return cast("CursorResult[Any]", session.execute(change)).rowcount == 1


def uploaded(session: Session, device: str, offset: int, limit: int) -> tuple[tuple[Export, ...], int]:
    """A device's uploaded exports, newest first, and how many there are in all."""
    query = select(ExportRow).where(ExportRow.device == device, ExportRow.uploaded_at.is_not(None))
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = session.scalars(query.order_by(ExportRow.uploaded_at.desc(), ExportRow.id).offset(offset).limit(limit))
    return tuple(row.value() for row in rows), total
