"""Tables of the telemetry room and their queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Index, String, delete, false, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.result import Result, StoredResult
from lineside.server.database import BIG, Base, Json
from lineside.server.database.upserts import insert_into


class ResultRow(Base):
    """A result; `digest` is of its content, so that the same one sent twice is one row."""

    __tablename__ = "results"
    __table_args__ = (
        Index("uq_results_device_sequence_digest", "device", "sequence", "digest", unique=True),
        Index("ix_results_device_id", "device", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BIG, primary_key=True)
    device: Mapped[str] = mapped_column(String(64))
    sequence: Mapped[int] = mapped_column(BIG)
    digest: Mapped[str] = mapped_column(String(80))
    received_at: Mapped[str] = mapped_column(String(32))
    result: Mapped[Result] = mapped_column(Json(Result))
    quarantined: Mapped[bool] = mapped_column(default=False, server_default=false())

    def value(self) -> StoredResult:
        """The row as it travels."""
        return StoredResult(id=self.id, received_at=self.received_at, result=self.result, quarantined=self.quarantined)


class RefusedRow(Base):
    """How many results of a device were not taken, and what was wrong with the last."""

    __tablename__ = "results_refused"

    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int]
    last_at: Mapped[str] = mapped_column(String(32))
    why: Mapped[str]


def add_results(session: Session, rows: Sequence[dict[str, Any]]) -> set[tuple[str, int, str]]:
    """Store results; those that are there already are passed over. (device, sequence, digest) of the new ones."""
    insert = insert_into(session, ResultRow).on_conflict_do_nothing()
    stored = insert.returning(ResultRow.device, ResultRow.sequence, ResultRow.digest)
    return {(row.device, row.sequence, row.digest) for row in session.execute(stored, rows)}


def drop_old(session: Session, device: str, keep: int) -> None:
    """Keep the newest results of a device."""
    newest = select(ResultRow.id).where(ResultRow.device == device).order_by(ResultRow.id.desc())
    last_dropped = session.scalar(newest.offset(keep).limit(1))
    if last_dropped is not None:
        session.execute(delete(ResultRow).where(ResultRow.device == device, ResultRow.id <= last_dropped))


def results(session: Session, after: int | None, device: str | None, limit: int) -> tuple[list[StoredResult], int]:
    """Results after an id, or the newest ones; oldest first. And how many there are in all."""
    query, count = select(ResultRow), select(func.count()).select_from(ResultRow)
    if device is not None:
        query, count = query.where(ResultRow.device == device), count.where(ResultRow.device == device)
    if after is None:
        rows = list(session.scalars(query.order_by(ResultRow.id.desc()).limit(limit)))[::-1]
    else:
        rows = list(session.scalars(query.where(ResultRow.id > after).order_by(ResultRow.id).limit(limit)))
    return [row.value() for row in rows], session.scalar(count) or 0


def count_by_device(session: Session) -> dict[str, int]:
    """How many results are kept of each device."""
    rows = session.execute(select(ResultRow.device, func.count().label("kept")).group_by(ResultRow.device))
    return {row.device: row.kept for row in rows}


def refused(session: Session, device: str) -> RefusedRow | None:
    """What was refused of a device."""
    return session.get(RefusedRow, device)


def refused_by_device(session: Session) -> dict[str, int]:
    """How many results of each device were not taken."""
    return {row.device: row.count for row in session.scalars(select(RefusedRow))}
