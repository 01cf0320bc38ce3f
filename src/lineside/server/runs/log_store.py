"""What runs said: pieces of their logs."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.worker import LogPiece, LogReport
from lineside.server.database import BIG, Base
from lineside.server.runs.store import RunRow


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


def runs_with_old_logs(session: Session, before: str, limit: int) -> list[str]:
    """Runs that had ended before a moment (RFC 3339), and whose logs are there still."""
    said = select(LogRow.number).where(LogRow.run == RunRow.id).exists()
    query = select(RunRow.id).where(RunRow.finished_at < before, said)
    return list(session.scalars(query.order_by(RunRow.number).limit(limit)))


def forget_logs(session: Session, runs: list[str]) -> None:
    """Forget all that these runs said."""
    session.execute(delete(LogRow).where(LogRow.run.in_(runs)))
