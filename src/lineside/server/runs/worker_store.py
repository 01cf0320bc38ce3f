"""Workers, and which run is whose: tables and queries."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.run import RunState
from lineside.contract.worker import Beat, Worker
from lineside.server.database import Base, Json
from lineside.server.runs.store import RunRow

MOST_LOOKED_AT = 200
"""Waiting runs that a claim looks through for one whose steps the worker knows."""


class WorkerRow(Base):
    """A worker, as its last beat said."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    queue: Mapped[str] = mapped_column(String(64))
    slots: Mapped[int]
    version: Mapped[str] = mapped_column(String(64))
    host: Mapped[str] = mapped_column(String(255))
    steps: Mapped[tuple[str, ...]] = mapped_column(Json(tuple[str, ...]))
    seen_at: Mapped[str] = mapped_column(String(32))

    def value(self, silent_since: str, runs: Iterable[str]) -> Worker:
        """The row as it travels; away when it was last seen before `silent_since`."""
        return Worker(
            name=self.name,
            queue=self.queue,
            slots=self.slots,
            version=self.version,
            host=self.host,
            steps=self.steps,
            seen_at=self.seen_at,
            away=self.seen_at <= silent_since,
            runs=tuple(runs),
        )


def keep_worker(session: Session, beat: Beat, at: str) -> None:
    """Store what a beat says."""
    session.merge(
        WorkerRow(
            name=beat.worker,
            queue=beat.queue,
            slots=beat.slots,
            version=beat.version,
            host=beat.host,
            steps=beat.steps,
            seen_at=at,
        )
    )


def workers(session: Session) -> list[WorkerRow]:
    """All of them, by name."""
    return list(session.scalars(select(WorkerRow).order_by(WorkerRow.name)))


def runs_by_worker(session: Session) -> dict[str, list[str]]:
    """What each worker has."""
    query = select(RunRow.worker, RunRow.id).where(RunRow.state == RunState.RUNNING.value).order_by(RunRow.number)
    found: dict[str, list[str]] = {}
    for worker, run in session.execute(query):
        found.setdefault(worker or "", []).append(run)
    return found


def unfinished_of(session: Session, worker: str) -> list[RunRow]:
    """The runs a worker has and has not finished, oldest first."""
    query = select(RunRow).where(RunRow.state == RunState.RUNNING.value, RunRow.worker == worker)
    return list(session.scalars(query.order_by(RunRow.number)))


def lapsed(session: Session, queue: str, now: str) -> list[RunRow]:
    """Runs of a queue whose workers have said nothing for too long, oldest first."""
    query = select(RunRow).where(RunRow.state == RunState.RUNNING.value, RunRow.queue == queue)
    query = query.where(RunRow.lease_until.is_not(None), RunRow.lease_until <= now)
    return list(session.scalars(query.order_by(RunRow.number).limit(MOST_LOOKED_AT)))


def queued(session: Session, queue: str) -> list[RunRow]:
    """Runs that wait in a queue, oldest first."""
    query = select(RunRow).where(RunRow.state == RunState.QUEUED.value, RunRow.queue == queue)
    return list(session.scalars(query.order_by(RunRow.number).limit(MOST_LOOKED_AT)))
