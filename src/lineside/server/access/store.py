"""Tables of the access room."""

from __future__ import annotations

from sqlalchemy import Index, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.errors import ErrorReport
from lineside.contract.event import Event
from lineside.server.database import Base, Json


class EventRow(Base):
    """Something that happened; never changed."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_kind_id", "kind", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(256))
    message: Mapped[str]
    actor: Mapped[str] = mapped_column(String(256), default="")
    error: Mapped[ErrorReport | None] = mapped_column(Json(ErrorReport), default=None)

    def value(self) -> Event:
        """The row as it travels."""
        return Event(
            id=self.id,
            at=self.at,
            kind=self.kind,
            subject=self.subject,
            message=self.message,
            actor=self.actor,
            error=self.error,
        )


def events_before(session: Session, before: int | None, kind: str | None, limit: int) -> tuple[list[EventRow], int]:
    """At most `limit` events older than id `before`, newest first, and how many of the kind there are in all.

    `kind` may be a whole kind (`device.joined`) or a noun (`device`).
    """
    query = select(EventRow)
    if kind:
        exact, prefix = EventRow.kind == kind, EventRow.kind.startswith(f"{kind}.", autoescape=True)
        query = query.where(exact | prefix)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    if before is not None:
        query = query.where(EventRow.id < before)
    return list(session.scalars(query.order_by(EventRow.id.desc()).limit(limit))), total
