"""What runs said and keep: pieces of their logs, and files they need to go on elsewhere."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, func, select, type_coerce
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.worker import Kept, LogPiece, LogReport
from lineside.server.database import BIG, Base
from lineside.server.runs.store import CachedStepRow


class LogRow(Base):
    """Some lines that a step said. A part that is sent twice is there once."""

    __tablename__ = "run_logs"
    __table_args__ = (
        UniqueConstraint("run", "step", "attempt", "part"),
        Index("ix_run_logs_run_number", "run", "number"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(BIG, primary_key=True)
    run: Mapped[str] = mapped_column(String(32), ForeignKey("runs.id"))
    step: Mapped[str] = mapped_column(String(32))
    attempt: Mapped[int]
    part: Mapped[int]
    at: Mapped[str] = mapped_column(String(32))
    size: Mapped[int]
    text: Mapped[str] = mapped_column(Text)


class KeptRow(Base):
    """A file of a run that has not ended; the newest of a name stays."""

    __tablename__ = "run_kept"

    run: Mapped[str] = mapped_column(String(32), ForeignKey("runs.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    digest: Mapped[str] = mapped_column(String(71))
    at: Mapped[str] = mapped_column(String(32))


def add_piece(session: Session, run: str, attempt: int, said: LogReport, at: str, most: int) -> None:
    """Store a part of a log, unless it is there; over `most` bytes of a step one last line says so, and no more."""
    same = select(LogRow.number).where(
        LogRow.run == run, LogRow.step == said.step, LogRow.attempt == attempt, LogRow.part == said.part
    )
    if session.scalar(same) is not None:
        return
    total = select(func.coalesce(func.sum(LogRow.size), 0)).where(LogRow.run == run, LogRow.step == said.step)
    so_far = int(session.scalars(total).one())
    if so_far >= most:
        return
    text = said.text
    size = len(text.encode())
    if so_far + size >= most:
        text = text.encode()[: most - so_far].decode(errors="ignore") + "\n(this step said more; it was not kept)\n"
        size = most - so_far
    session.add(
        LogRow(run=run, step=said.step, attempt=attempt, part=said.part, at=at, size=size, text=text.replace("\0", "�"))
    )
    session.flush()


def pieces(session: Session, run: str, step: str | None, after: int, limit: int) -> list[LogPiece]:
    """Pieces after a number, oldest first."""
    query = select(LogRow).where(LogRow.run == run, LogRow.number > after)
    if step is not None:
        query = query.where(LogRow.step == step)
    rows = session.scalars(query.order_by(LogRow.number).limit(limit))
    return [LogPiece(step=row.step, text=row.text, at=row.at, number=row.number) for row in rows]


def last_pieces(session: Session, run: str, step: str, count: int) -> list[str]:
    """The last pieces of a step's log, oldest first."""
    query = select(LogRow.text).where(LogRow.run == run, LogRow.step == step)
    return list(session.scalars(query.order_by(LogRow.number.desc()).limit(count)))[::-1]


def keep(session: Session, run: str, kept: Kept, at: str) -> str | None:
    """Remember a file; the digest of the one it replaces."""
    row = session.get(KeptRow, (run, kept.name))
    before = None if row is None or row.digest == kept.digest else row.digest
    session.merge(KeptRow(run=run, name=kept.name, digest=kept.digest, at=at))
    session.flush()
    return before


def kept_of(session: Session, run: str) -> list[Kept]:
    """The files of a run, by name."""
    rows = session.scalars(select(KeptRow).where(KeptRow.run == run).order_by(KeptRow.name))
    return [Kept(name=row.name, digest=row.digest) for row in rows]


def forget_kept(session: Session, run: str) -> list[str]:
    """Forget the files of a run that has ended; their digests."""
    rows = list(session.scalars(select(KeptRow).where(KeptRow.run == run)))
    for row in rows:
        session.delete(row)
    session.flush()
    return [row.digest for row in rows]


def is_used(session: Session, digest: str) -> bool:
    """Whether another run keeps a file of this digest, or a step's result names it."""
    if session.scalar(select(KeptRow.run).where(KeptRow.digest == digest).limit(1)) is not None:
        return True
    text = type_coerce(CachedStepRow.outputs, Text)
    named = select(CachedStepRow.key).where(text.like(f"%{digest}%")).limit(1)
    return session.scalar(named) is not None
