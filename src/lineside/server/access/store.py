"""Tables of the access room."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Index, String, delete, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.errors import ErrorReport
from lineside.contract.event import Event
from lineside.server.database import Base, Json


class EventRow(Base):
    """Something that happened; never changed."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_kind_id", "kind", "id"),
        Index("ix_events_subject_id", "subject", "id"),
        {"sqlite_autoincrement": True},
    )

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


def events_about(session: Session, subject: str, limit: int) -> list[EventRow]:
    """At most `limit` events about a subject, newest first."""
    query = select(EventRow).where(EventRow.subject == subject).order_by(EventRow.id.desc()).limit(limit)
    return list(session.scalars(query))


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


class JoinTokenRow(Base):
    """A join token by the SHA-256 of its text."""

    __tablename__ = "join_tokens"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    group: Mapped[str] = mapped_column(String(63))
    twin: Mapped[bool]
    uses: Mapped[int]
    used: Mapped[int]
    created_at: Mapped[str] = mapped_column(String(32))
    expires_at: Mapped[str] = mapped_column(String(32))


class AssertionRow(Base):
    """A client assertion that was used."""

    __tablename__ = "used_assertions"

    device: Mapped[str] = mapped_column(String(63), primary_key=True)
    jti: Mapped[str] = mapped_column(String(128), primary_key=True)
    until: Mapped[str] = mapped_column(String(32), index=True)


def open_join_tokens(session: Session, now: str) -> list[JoinTokenRow]:
    """Tokens that have not expired and are not used up, newest first."""
    query = select(JoinTokenRow).where(JoinTokenRow.expires_at > now, JoinTokenRow.used < JoinTokenRow.uses)
    return list(session.scalars(query.order_by(JoinTokenRow.created_at.desc(), JoinTokenRow.hash)))


def use_join_token(session: Session, token_hash: str) -> bool:
    """Count one use, if one is left. One statement: two devices at once cannot take the same use."""
    statement = (
        update(JoinTokenRow)
        .where(JoinTokenRow.hash == token_hash, JoinTokenRow.used < JoinTokenRow.uses)
        .values(used=JoinTokenRow.used + 1)
    )
    return session.connection().execute(statement).rowcount == 1


def used_assertions(session: Session, devices: Collection[str]) -> set[tuple[str, str]]:
    """Device and jti of the assertions of these devices that were used and are remembered."""
    query = select(AssertionRow.device, AssertionRow.jti).where(AssertionRow.device.in_(devices))
    return {(row.device, row.jti) for row in session.execute(query)}


def remember_assertions(session: Session, used: Sequence[tuple[str, str, str]]) -> None:
    """Remember assertions: device, jti and until when."""
    if used:
        rows = [{"device": device, "jti": jti, "until": until} for device, jti, until in used]
        session.execute(insert(AssertionRow), rows)


def forget_assertions(session: Session, now: str) -> None:
    """Forget those that have expired."""
    session.execute(delete(AssertionRow).where(AssertionRow.until <= now))
