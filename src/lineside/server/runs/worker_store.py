"""Workers, and which run is whose: tables and queries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import ColumnElement, String, and_, delete, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.run import RunState
from lineside.contract.worker import Beat, Worker
from lineside.server.database import Base, Json
from lineside.server.runs.store import RunRow

Sort = tuple[str, bool]
"""What decides which workers do a run: its kind, and whether it has steps of people's own."""


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


def first_lapsed(
    session: Session, queue: str, now: str, fits: Callable[[Sort], bool], but: Iterable[str]
) -> RunRow | None:
    """The oldest run of a queue whose worker has said nothing for too long, of those that fit."""
    silent = (RunRow.state == RunState.RUNNING.value, RunRow.lease_until.is_not(None), RunRow.lease_until <= now)
    return _first(session, queue, (*silent, RunRow.id.not_in(list(but))), fits)


def first_queued(session: Session, queue: str, fits: Callable[[Sort], bool]) -> RunRow | None:
    """The run that has waited longest in a queue, of those that fit."""
    return _first(session, queue, (RunRow.state == RunState.QUEUED.value,), fits)


def _first(
    session: Session, queue: str, where: Sequence[ColumnElement[bool]], fits: Callable[[Sort], bool]
) -> RunRow | None:
    """However many wait that do not fit: there are few sorts of runs, and they are asked about first."""
    sorts = session.execute(select(RunRow.kind, RunRow.commands).where(RunRow.queue == queue, *where).distinct())
    wanted = [
        and_(RunRow.kind == kind, RunRow.commands == commands) for kind, commands in sorts if fits((kind, commands))
    ]
    if not wanted:
        return None
    query = select(RunRow).where(RunRow.queue == queue, *where, or_(*wanted))
    return session.scalar(query.order_by(RunRow.number).limit(1))


def has_workers(session: Session, before: str) -> bool:
    """Whether there are workers that were not seen since a moment (RFC 3339)."""
    return session.scalars(select(WorkerRow.name).where(WorkerRow.seen_at < before).limit(1)).first() is not None


def forget_workers(session: Session, before: str) -> None:
    """Forget workers that were not seen since, and have nothing that they could be handed back."""
    busy = select(RunRow.worker).where(RunRow.state == RunState.RUNNING.value, RunRow.worker.is_not(None))
    session.execute(delete(WorkerRow).where(WorkerRow.seen_at < before, WorkerRow.name.not_in(busy)))
