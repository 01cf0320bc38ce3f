"""Tables of loops and their queries."""

from __future__ import annotations

from sqlalchemy import String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.errors import ErrorReport
from lineside.contract.loop import Loop, LoopDocument
from lineside.server.database import Base, Json
from lineside.server.runs.store import RunRow
from lineside.server.secrets.model import Kept


class LoopRow(Base):
    """A loop. `secret` signs messages to its webhook; `seen_dataset` is the newest dataset version it knows of,
    `trained_dataset` the one its newest run is about, before that the newest when it was applied."""

    __tablename__ = "loops"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    document: Mapped[LoopDocument] = mapped_column(Json(LoopDocument))
    created_at: Mapped[str] = mapped_column(String(32))
    changed_at: Mapped[str] = mapped_column(String(32))
    by: Mapped[str] = mapped_column(String(256))
    secret: Mapped[Kept | None] = mapped_column(Json(Kept), default=None)
    next_at: Mapped[str | None] = mapped_column(String(32), default=None)
    seen_dataset: Mapped[str | None] = mapped_column(String(64), default=None)
    due: Mapped[str | None] = mapped_column(String(256), default=None)
    run: Mapped[str | None] = mapped_column(String(32), default=None)
    started_at: Mapped[str | None] = mapped_column(String(32), default=None)
    problem: Mapped[ErrorReport | None] = mapped_column(Json(ErrorReport), default=None)
    trained_dataset: Mapped[str | None] = mapped_column(String(64), default=None)
    started_by: Mapped[str | None] = mapped_column(String(300), default=None)

    def value(self, due: str | None = None, waits: tuple[str, ...] = ()) -> Loop:
        """The row as it travels, with what holds now."""
        return Loop(
            document=self.document,
            created_at=self.created_at,
            changed_at=self.changed_at,
            by=self.by,
            next_at=self.next_at,
            due=self.due or due,
            run=self.run,
            started_at=self.started_at,
            started_by=self.started_by,
            waits=waits,
            problem=self.problem,
        )


class LoopMessageRow(Base):
    """A message that a loop's webhook has taken, so that the same one again starts nothing."""

    __tablename__ = "loop_messages"

    loop: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[str] = mapped_column(String(256), primary_key=True)
    at: Mapped[str] = mapped_column(String(32))


def has_messages(session: Session, before: str) -> bool:
    """Whether messages that were let in before a moment (RFC 3339) are remembered."""
    return session.scalars(select(LoopMessageRow.id).where(LoopMessageRow.at < before).limit(1)).first() is not None


def forget_messages(session: Session, before: str) -> None:
    """Forget messages that were let in before a moment (RFC 3339)."""
    session.execute(delete(LoopMessageRow).where(LoopMessageRow.at < before))


def loops(session: Session) -> list[LoopRow]:
    """All of them, by name."""
    return list(session.scalars(select(LoopRow).order_by(LoopRow.name)))


def begun_by(session: Session, loop: str, by: str, since: str) -> int:
    """How many runs of a loop somebody began since a moment (RFC 3339)."""
    mine = (RunRow.loop == loop, RunRow.by == by, RunRow.created_at >= since)
    return session.scalar(select(func.count()).select_from(RunRow).where(*mine)) or 0
