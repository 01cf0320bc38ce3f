"""Tables of the captures room and their queries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from sqlalchemy import CursorResult, ForeignKey, Index, String, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.capture import Capture, CaptureRecord
from lineside.server.database import Base, Json
from lineside.server.database.among import among
from lineside.server.database.upserts import add_missing


class CaptureRow(Base):
    """A capture: announced, and some time later uploaded."""

    __tablename__ = "captures"
    __table_args__ = (
        Index("ix_captures_device_requested_at", "device", "requested_at"),
        Index("ix_captures_uploaded_at", "uploaded_at", "id"),
        Index("ix_captures_device", "device", "strategy", "uploaded_at", "id"),
        Index("ix_captures_device_uploaded_at", "device", "uploaded_at", "id"),
        Index("ix_captures_device_model", "device", "model", "uploaded_at", "id"),
        Index("ix_captures_strategy", "strategy", "uploaded_at", "id"),
        Index("ix_captures_model", "model", "strategy", "uploaded_at", "id"),
        Index("ix_captures_model_uploaded_at", "model", "uploaded_at", "id"),
        Index("ix_captures_request", "request", "uploaded_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    device: Mapped[str] = mapped_column(String(64))
    strategy: Mapped[str] = mapped_column(String(32))
    record: Mapped[CaptureRecord] = mapped_column(Json(CaptureRecord))
    requested_at: Mapped[str] = mapped_column(String(32))
    uploaded_at: Mapped[str | None] = mapped_column(String(32), default=None)
    digest: Mapped[str | None] = mapped_column(String(71), index=True, default=None)
    model: Mapped[str | None] = mapped_column(String(160), default=None)  # NAME:VERSION that decided
    request: Mapped[str | None] = mapped_column(String(64), default=None)  # id of the collection that it answers

    def value(self) -> Capture:
        """The row as it travels."""
        return Capture(record=self.record, requested_at=self.requested_at, uploaded_at=self.uploaded_at)


class CaptureCountRow(Base):
    """How many captures were uploaded under one strategy by one model; without a model, its name is empty."""

    __tablename__ = "capture_counts"

    strategy: Mapped[str] = mapped_column(String(32), primary_key=True)
    model: Mapped[str] = mapped_column(String(160), primary_key=True)
    count: Mapped[int]


class TicketRow(Base):
    """Leave to upload one capture once."""

    __tablename__ = "upload_tickets"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    capture: Mapped[str] = mapped_column(ForeignKey("captures.id"), index=True)
    device: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(80))
    size: Mapped[int]
    expires_at: Mapped[str] = mapped_column(String(32))
    used_at: Mapped[str | None] = mapped_column(String(32), default=None)


def capture(session: Session, capture_id: str) -> CaptureRow | None:
    """The capture of this id, uploaded or not."""
    return session.get(CaptureRow, capture_id)


def announced_since(session: Session, device: str, since: str) -> int:
    """How many captures a device has announced since a time."""
    query = select(func.count()).select_from(CaptureRow)
    return session.scalar(query.where(CaptureRow.device == device, CaptureRow.requested_at > since)) or 0


def open_ticket(session: Session, capture_id: str, now: str) -> TicketRow | None:
    """A ticket of a capture that can still be used."""
    query = select(TicketRow).where(TicketRow.capture == capture_id, TicketRow.used_at.is_(None))
    return session.scalar(query.where(TicketRow.expires_at > now).limit(1))


def ticket(session: Session, ticket_id: str, device: str) -> TicketRow | None:
    """A ticket of a device; another device's is none."""
    return session.scalar(select(TicketRow).where(TicketRow.id == ticket_id, TicketRow.device == device))


def use_ticket(session: Session, ticket_id: str, at: str) -> bool:
    """Mark a ticket as used; whether it was not before."""
    change = update(TicketRow).where(TicketRow.id == ticket_id, TicketRow.used_at.is_(None)).values(used_at=at)
    return cast("CursorResult[Any]", session.execute(change)).rowcount == 1


def forget_tickets(session: Session, before: str, most: int) -> int:
    """Forget some tickets that had expired at a time; how many."""
    old = select(TicketRow.id).where(TicketRow.expires_at < before).limit(most)
    change = delete(TicketRow).where(TicketRow.id.in_(old))
    return cast("CursorResult[Any]", session.execute(change, execution_options={"synchronize_session": False})).rowcount


def mark_uploaded(session: Session, row: CaptureRow, at: str) -> bool:
    """The image of a capture is there; whether it was not before."""
    change = update(CaptureRow).where(CaptureRow.id == row.id, CaptureRow.uploaded_at.is_(None))
    if cast("CursorResult[Any]", session.execute(change.values(uploaded_at=at))).rowcount == 0:
        return False
    key = {"strategy": row.strategy, "model": row.model or ""}
    add_missing(session, CaptureCountRow, [{**key, "count": 0}])
    counted = update(CaptureCountRow).filter_by(**key).values(count=CaptureCountRow.count + 1)
    session.execute(counted)
    return True


def model_of(record: CaptureRecord) -> str | None:
    """NAME:VERSION of the model that decided about an image."""
    return None if record.result is None else f"{record.result.model}:{record.result.version}"[:160]


def count_by_strategy(session: Session) -> dict[str, int]:
    """How many captures were uploaded, by strategy."""
    total = func.sum(CaptureCountRow.count).label("uploaded")
    query = select(CaptureCountRow.strategy, total).group_by(CaptureCountRow.strategy)
    return {row.strategy: int(row.uploaded) for row in session.execute(query)}


def models(session: Session) -> list[str]:
    """Models that decided about captures, by name."""
    query = select(CaptureCountRow.model).where(CaptureCountRow.model != "").distinct()
    return sorted(session.scalars(query))


def taken_at(session: Session, digests: Iterable[str]) -> dict[str, str]:
    """When devices took pictures, of those of some that are uploaded captures; the first time where there are more."""
    times: dict[str, str] = {}
    rows = select(CaptureRow.record).where(among(CaptureRow.digest, digests), CaptureRow.uploaded_at.is_not(None))
    for record in session.scalars(rows):
        times[record.digest] = min(record.captured_at, times.get(record.digest, record.captured_at))
    return times
