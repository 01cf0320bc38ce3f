"""Tables and queries of the webhooks room. The table of events is the outbox: it is written in the transaction of what
happened, and each webhook remembers to which event it has read."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Enum, ForeignKey, Index, String, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.webhook import MessageState, Webhook, WebhookMessage
from lineside.server.access.store import EventRow
from lineside.server.database import Base, Json
from lineside.server.secrets.model import Kept

_STATE = Enum(MessageState, native_enum=False, length=16, values_callable=lambda kind: [one.value for one in kind])


class WebhookRow(Base):
    """Who is told of what. `read_to` is the id of the last event that was looked at; while its receiver fails, nothing
    is tried before `resume_at`."""

    __tablename__ = "webhooks"
    __table_args__ = {"sqlite_autoincrement": True}

    number: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str]
    kinds: Mapped[tuple[str, ...]] = mapped_column(Json(tuple[str, ...]))
    secret: Mapped[Kept] = mapped_column(Json(Kept))
    created_at: Mapped[str] = mapped_column(String(32))
    by: Mapped[str] = mapped_column(String(256))
    read_to: Mapped[int]
    failures: Mapped[int] = mapped_column(default=0)  # tries in a row that came to nothing
    resume_at: Mapped[str | None] = mapped_column(String(32), default=None)
    answer: Mapped[str] = mapped_column(default="")
    answered_at: Mapped[str | None] = mapped_column(String(32), default=None)

    @property
    def id(self) -> str:
        return f"webhook-{self.number}"

    def value(self, waiting: int = 0) -> Webhook:
        """The row as it travels."""
        return Webhook(
            id=self.id,
            url=self.url,
            kinds=self.kinds,
            created_at=self.created_at,
            by=self.by,
            waiting=waiting,
            answer=self.answer,
            answered_at=self.answered_at,
        )


class MessageRow(Base):
    """One event on its way to one receiver."""

    __tablename__ = "webhook_messages"
    __table_args__ = (
        Index("ix_webhook_messages_due", "webhook", "state", "next_at"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    webhook: Mapped[int] = mapped_column(ForeignKey("webhooks.number", ondelete="CASCADE"))
    event: Mapped[int | None] = mapped_column(default=None)
    kind: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(256))
    body: Mapped[str]
    state: Mapped[MessageState] = mapped_column(_STATE, default=MessageState.WAITING)
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[str] = mapped_column(String(32))
    next_at: Mapped[str | None] = mapped_column(String(32), default=None)
    answer: Mapped[str] = mapped_column(default="")
    answered_at: Mapped[str | None] = mapped_column(String(32), default=None)

    @property
    def id(self) -> str:
        return f"msg_{self.number}"

    def value(self) -> WebhookMessage:
        """The row as it travels."""
        return WebhookMessage(
            id=self.id,
            kind=self.kind,
            subject=self.subject,
            state=self.state,
            tries=self.tries,
            created_at=self.created_at,
            next_at=self.next_at,
            answer=self.answer,
            answered_at=self.answered_at,
        )


def webhooks(session: Session) -> list[WebhookRow]:
    """All webhooks, oldest first."""
    return list(session.scalars(select(WebhookRow).order_by(WebhookRow.number)))


def waiting(session: Session, webhook: int) -> int:
    """How many messages of a webhook wait."""
    mine = MessageRow.webhook == webhook, MessageRow.state == MessageState.WAITING
    return session.scalar(select(func.count()).select_from(MessageRow).where(*mine)) or 0


def newest_event(session: Session) -> int:
    """The id of the newest event."""
    return session.scalar(select(func.max(EventRow.id))) or 0


def events_after(session: Session, after: int, limit: int) -> list[EventRow]:
    """Events with ids above `after`, oldest first."""
    return list(session.scalars(select(EventRow).where(EventRow.id > after).order_by(EventRow.id).limit(limit)))


def due(session: Session, webhook: int, now: str, limit: int) -> list[int]:
    """Messages of a webhook whose time has come, oldest first."""
    query = select(MessageRow.number).where(
        MessageRow.webhook == webhook, MessageRow.state == MessageState.WAITING, MessageRow.next_at <= now
    )
    return list(session.scalars(query.order_by(MessageRow.number).limit(limit)))


def newest_messages(session: Session, webhook: int, limit: int) -> list[MessageRow]:
    """The newest messages of a webhook."""
    query = select(MessageRow).where(MessageRow.webhook == webhook)
    return list(session.scalars(query.order_by(MessageRow.number.desc()).limit(limit)))


def give_up(session: Session, condition: Sequence[object], why: str, now: str) -> int:
    """Messages that wait and fulfil the conditions are given up; how many."""
    waits = select(MessageRow.number).where(MessageRow.state == MessageState.WAITING, *condition)  # type: ignore[arg-type]
    numbers = list(session.scalars(waits))
    for start in range(0, len(numbers), 500):
        some = update(MessageRow).where(MessageRow.number.in_(numbers[start : start + 500]))
        values = {"state": MessageState.GIVEN_UP, "answer": why, "answered_at": now, "next_at": None}
        session.execute(some.values(values), execution_options={"synchronize_session": False})
    return len(numbers)


def forget(session: Session, before: str) -> None:
    """Forget messages that ended before a moment (RFC 3339)."""
    ended = MessageRow.state != MessageState.WAITING
    session.execute(delete(MessageRow).where(ended, MessageRow.created_at < before))
