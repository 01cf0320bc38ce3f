"""Tables of the runs room and their queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec
from sqlalchemy import ColumnElement, CursorResult, ForeignKey, Index, String, false, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.errors import ErrorReport
from lineside.contract.model import GateResult
from lineside.contract.run import RUN_MOVES, CachedStep, CurvePoint, Run, RunRequest, RunState, Step, StepState
from lineside.server.database import Base, Json

MOST_NUMBER = 2**31 - 1
"""What every database's INTEGER holds."""

_OPEN = [state.value for state, moves in RUN_MOVES.items() if moves]
_UNFINISHED = (StepState.WAITING, StepState.RUNNING)


class RunRow(Base):
    """A run; `worker` is who has it, until `lease_until`. `number` orders runs by arrival.

    Without a lease it stays with its worker: it was taken before there were leases.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index("ix_runs_state_number", "state", "number"),
        Index("ix_runs_loop_number", "loop", "number"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    state: Mapped[str] = mapped_column(String(24))
    worker: Mapped[str | None] = mapped_column(String(64), default=None)
    request: Mapped[RunRequest] = mapped_column(Json(RunRequest))
    gates: Mapped[tuple[GateResult, ...]] = mapped_column(Json(tuple[GateResult, ...]), default=())
    model_version: Mapped[int | None] = mapped_column(default=None)
    created_at: Mapped[str] = mapped_column(String(32))
    finished_at: Mapped[str | None] = mapped_column(String(32), default=None)
    error: Mapped[ErrorReport | None] = mapped_column(Json(ErrorReport), default=None)
    by: Mapped[str] = mapped_column(String(256), default="", server_default="")
    queue: Mapped[str] = mapped_column(String(64), default="default", server_default="default")
    attempt: Mapped[int] = mapped_column(default=0, server_default="0")
    lease_until: Mapped[str | None] = mapped_column(String(32), default=None)
    loop: Mapped[str | None] = mapped_column(String(64), default=None)
    kind: Mapped[str] = mapped_column(String(16), default="train", server_default="train")
    commands: Mapped[bool] = mapped_column(default=False, server_default=false())  # has people's own steps
    given_back: Mapped[int] = mapped_column(default=0, server_default="0")  # attempts that ended in an orderly way

    def value(self, steps: Iterable[Step]) -> Run:
        """The row as it travels."""
        return Run(
            id=self.id,
            state=RunState(self.state),
            request=self.request,
            steps=tuple(steps),
            gates=self.gates,
            model_version=self.model_version,
            created_at=self.created_at,
            finished_at=self.finished_at,
            error=self.error,
            by=self.by,
            worker=self.worker,
            attempt=self.attempt,
        )


class StepRow(Base):
    """A step of a run, at its place."""

    __tablename__ = "run_steps"

    run: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    position: Mapped[int]
    step: Mapped[Step] = mapped_column(Json(Step))


class CurveRow(Base):
    """One point of a training curve."""

    __tablename__ = "run_curves"

    run: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    series: Mapped[str] = mapped_column(String(64), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[float]


class CachedStepRow(Base):
    """What a step made, by the key of its code, inputs and parameters."""

    __tablename__ = "step_cache"

    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    outputs: Mapped[dict[str, Any]] = mapped_column(Json(dict[str, Any]))
    run: Mapped[str] = mapped_column(String(32))
    stored_at: Mapped[str] = mapped_column(String(32))


def add_run(session: Session, row: RunRow, steps: Iterable[Step]) -> None:
    """Store a run with its steps, in their order."""
    session.add(row)
    session.flush()
    session.add_all(StepRow(run=row.id, name=step.name, position=at, step=step) for at, step in enumerate(steps))
    session.flush()


def run_by_id(session: Session, run: str) -> RunRow | None:
    """The run of this id."""
    return session.scalar(select(RunRow).where(RunRow.id == run))


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which runs: of one loop, in one of these states, of one kind; all that is given must hold."""

    loop: str | None = None
    states: tuple[RunState, ...] = ()
    kind: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """What rows must satisfy."""
        found: list[ColumnElement[bool]] = []
        if self.loop is not None:
            found.append(RunRow.loop == self.loop)
        if self.states:
            found.append(RunRow.state.in_([state.value for state in self.states]))
        if self.kind is not None:
            found.append(RunRow.kind == self.kind)
        return found


def runs_newest_first(session: Session, wanted: Filter, before: int | None, limit: int) -> list[RunRow]:
    """At most `limit` runs that came before a number."""
    query = select(RunRow).where(*wanted.conditions())
    if before is not None:
        query = query.where(RunRow.number < before)
    return list(session.scalars(query.order_by(RunRow.number.desc()).limit(limit)))


def count_runs(session: Session, wanted: Filter) -> int:
    """How many there are."""
    return session.scalars(select(func.count()).select_from(RunRow).where(*wanted.conditions())).one()


def at_work_for(session: Session, loop: str) -> str | None:
    """A run of a loop that has not ended."""
    return session.scalar(select(RunRow.id).where(RunRow.loop == loop, RunRow.state.in_(_OPEN)).limit(1))


def steps_of(session: Session, runs: Iterable[str]) -> dict[str, list[Step]]:
    """Steps in their order, by run: of a page of runs, for a statement names each."""
    steps: dict[str, list[Step]] = {run: [] for run in runs}
    query = select(StepRow).where(StepRow.run.in_(steps)).order_by(StepRow.run, StepRow.position)
    for row in session.scalars(query):
        steps[row.run].append(row.step)
    return steps


def values(session: Session, rows: Sequence[RunRow]) -> list[Run]:
    """Runs as they travel, with their steps."""
    steps = steps_of(session, [row.id for row in rows])
    return [row.value(steps[row.id]) for row in rows]


def skip_rest(session: Session, run: str, why: str) -> None:
    """Steps that wait or are at work will not be done any more: the run has ended."""
    for row in session.scalars(select(StepRow).where(StepRow.run == run)):
        if row.step.state in _UNFINISHED:
            row.step = msgspec.structs.replace(row.step, state=StepState.SKIPPED, message=why)
    session.flush()


def step_row(session: Session, run: str, name: str) -> StepRow | None:
    """One step of a run."""
    return session.get(StepRow, (run, name))


def compare_and_set(session: Session, run: str, current: RunState, wanted: RunState, **fields: Any) -> bool:
    """Move a run unless somebody moved it meanwhile; whether it was moved."""
    change = update(RunRow).where(RunRow.id == run, RunRow.state == current.value)
    change = change.values(state=wanted.value, **fields).execution_options(synchronize_session="fetch")
    return cast("CursorResult[Any]", session.execute(change)).rowcount == 1


def add_points(session: Session, run: str, points: Iterable[CurvePoint]) -> None:
    """Store curve points; a point that is there already takes the new value."""
    for point in points:
        session.merge(CurveRow(run=run, series=point.series, epoch=point.epoch, value=point.value))


def curves_of(session: Session, run: str) -> list[CurvePoint]:
    """All curve points of a run, by series and epoch."""
    query = select(CurveRow).where(CurveRow.run == run).order_by(CurveRow.series, CurveRow.epoch)
    return [CurvePoint(series=row.series, epoch=row.epoch, value=row.value) for row in session.scalars(query)]


def cached_step(session: Session, key: str) -> CachedStep | None:
    """What is remembered under a key."""
    row = session.get(CachedStepRow, key)
    return None if row is None else CachedStep(key=row.key, outputs=row.outputs, run=row.run)


def cache_step(session: Session, step: CachedStep, at: str) -> None:
    """Remember what a step made; the newest word stays."""
    session.merge(CachedStepRow(key=step.key, outputs=step.outputs, run=step.run, stored_at=at))


def count_by_state(session: Session) -> dict[RunState, int]:
    """How many runs there are in each state."""
    rows = session.execute(select(RunRow.state, func.count()).group_by(RunRow.state))
    return {RunState(state): count for state, count in rows}
