"""What can be done with runs: people queue and cancel them, workers claim, report and finish them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.errors import LinesideError
from lineside.contract.moves import check_move
from lineside.contract.run import (
    RUN_MOVES,
    CachedStep,
    CurvePoint,
    Run,
    RunFinish,
    RunPage,
    RunRequest,
    RunState,
    Step,
    StepReport,
)
from lineside.contract.worker import Claim
from lineside.server.access.caller import current
from lineside.server.clock import rfc3339
from lineside.server.datasets.service import DatasetsService
from lineside.server.runs import store
from lineside.server.runs.kept import KeptFiles
from lineside.server.runs.leasing import Leasing
from lineside.server.runs.model import blobs_of, check_request
from lineside.server.runs.store import Filter, RunRow
from lineside.server.services import Core

_ALL = Filter()


class RunsService:
    """Runs of the pipeline."""

    def __init__(self, core: Core, datasets: DatasetsService) -> None:
        self._core, self._datasets = core, datasets
        self.leasing = Leasing(core)
        self._files = KeptFiles(core)

    # --- people ---------------------------------------------------------------------------------------------------

    def start(self, request: RunRequest) -> Run:
        """Queue a new run; it is whose who asks for it.

        Raises `run.kind_unknown`, `run.request_incomplete`, `request.invalid`, and `request.not_found` for a dataset
        or a file that is not there.
        """
        request, steps = self.checked(request)
        with self._core.database.write() as session:
            return self.queue(session, request, steps)

    def checked(self, request: RunRequest) -> tuple[RunRequest, tuple[Step, ...]]:
        """The request with ids for names, and its steps. Raises what `start` does."""
        steps = check_request(request)
        request = self._named(request)
        for digest in blobs_of(request):
            if not self._core.objects.exists(digest):
                raise LinesideError("request.not_found", what="blob", name=digest)
        return request, steps

    def queue(self, session: Session, request: RunRequest, steps: Sequence[Step]) -> Run:
        """Queue a run that was checked, in the caller's transaction."""
        row = RunRow(
            id=f"run-{uuid.uuid4().hex[:12]}",
            state=RunState.QUEUED.value,
            request=request,
            created_at=self._now(),
            by=current().name,
            queue=request.queue,
            loop=request.loop,
            kind=request.kind,
            commands=bool(request.steps),
        )
        store.add_run(session, row, steps)
        self._record(session, row.id, RunState.QUEUED, f"A run to {request.kind} {request.model} waits.")
        action = "run.import" if request.kind == "import" else "run.start"
        why = f"{request.kind} {request.model}" + (f" on {request.dataset}" if request.dataset else "")
        self._core.audit.record(session, action, row.id, digest=request.init, why=why)
        return self._value(session, row)

    def page(self, wanted: Filter = _ALL, before: int | None = None, limit: int = 100) -> RunPage:
        """Runs, newest first; `before` is `next` of the page before."""
        with self._core.database.read() as session:
            rows = store.runs_newest_first(session, wanted, before, limit + 1)
            shown = rows[:limit]
            more = shown[-1].number if len(rows) > limit else None
            runs = tuple(store.values(session, shown))
            return RunPage(runs=runs, total=store.count_runs(session, wanted), next=more)

    def get(self, run: str) -> Run:
        """One run. Raises `request.not_found`."""
        with self._core.database.read() as session:
            return self._value(session, self._row(session, run))

    def curves(self, run: str) -> list[CurvePoint]:
        """Its training curves. Raises `request.not_found`."""
        with self._core.database.read() as session:
            self._row(session, run)
            return store.curves_of(session, run)

    def cancel(self, run: str, actor: str = "") -> Run:
        """Stop a run; its worker finds out at its next report. Raises `request.not_found`, `state.illegal_move`."""
        with self._core.database.write() as session:
            row = self._row(session, run)
            self._move(session, row, RunState.CANCELLED, finished_at=self._now())
            store.skip_rest(session, run, "The run was stopped.")
            self._record(session, run, RunState.CANCELLED, f"The run {run} was stopped.", actor)
            self._core.audit.record(session, "run.cancel", run)
            stopped = self._value(session, row)
        self._files.forget(run)
        return stopped

    def counts(self) -> dict[RunState, int]:
        """How many runs there are in each state."""
        with self._core.database.read() as session:
            return store.count_by_state(session)

    # --- workers --------------------------------------------------------------------------------------------------

    def claim(self, worker: str) -> Run | None:
        """A run of the default queue for a worker that says no more of itself; see `Leasing.claim`."""
        return self.leasing.claim(Claim(worker=worker))

    def report(self, run: str, report: StepReport) -> None:
        """Take a worker's word on a step; what is said about a finished run changes nothing.

        Raises `request.not_found` for a run or step that is not there.
        """
        with self._core.database.write() as session:
            row = self._row(session, run)
            step = store.step_row(session, run, report.step.name)
            if step is None:
                raise LinesideError("request.not_found", what="step", name=report.step.name)
            if RunState(row.state) is RunState.RUNNING:
                step.step = report.step
                store.add_points(session, run, report.curve)

    def finish(self, run: str, finish: RunFinish) -> Run:
        """A worker's last word; the same again changes nothing. Raises `request.not_found`, `state.illegal_move`."""
        with self._core.database.write() as session:
            row = self._row(session, run)
            if row.finished_at is not None and RunState(row.state) is finish.state:
                return self._value(session, row)
            fields = {"gates": finish.gates, "model_version": finish.model_version, "error": finish.error}
            self._move(session, row, finish.state, finished_at=self._now(), **fields)
            store.skip_rest(session, run, "The run ended before.")
            said = finish.error.message if finish.error else _ending(run, finish)
            self._record(session, run, finish.state, said)
            ended = self._value(session, row)
        self._files.forget(run)
        return ended

    def cached(self, key: str) -> CachedStep:
        """What a step with this key made before. Raises `request.not_found`."""
        with self._core.database.read() as session:
            found = store.cached_step(session, key)
        if found is None:
            raise LinesideError("request.not_found", what="step", name=key)
        return found

    def cache(self, step: CachedStep) -> CachedStep:
        """Remember what a step made."""
        with self._core.database.write() as session:
            store.cache_step(session, step, self._now())
        return step

    # --- inside ---------------------------------------------------------------------------------------------------

    def _named(self, request: RunRequest) -> RunRequest:
        """The same with ids in the place of names of datasets, which mean another version tomorrow."""
        given = {"dataset": request.dataset, "field": request.field}
        ids = {what: self._datasets.version(dataset).id for what, dataset in given.items() if dataset is not None}
        return msgspec.structs.replace(request, **ids)

    def _row(self, session: Session, run: str) -> RunRow:
        row = store.run_by_id(session, run)
        if row is None:
            raise LinesideError("request.not_found", what="run", name=run)
        return row

    def _move(self, session: Session, row: RunRow, wanted: RunState, **fields: object) -> None:
        current = RunState(row.state)
        check_move("run", RUN_MOVES, current, wanted)
        if not store.compare_and_set(session, row.id, current, wanted, **fields):
            session.refresh(row)
            raise LinesideError("state.illegal_move", what="run", current=row.state, wanted=wanted.value)

    def _record(self, session: Session, run: str, state: RunState, message: str, actor: str = "") -> None:
        self._core.events.record(session, kind=f"run.{state.value}", subject=run, message=message, actor=actor)

    def _value(self, session: Session, row: RunRow) -> Run:
        return store.values(session, [row])[0]

    def _now(self) -> str:
        return rfc3339(self._core.clock.now())


def _ending(run: str, finish: RunFinish) -> str:
    """A blocked run says which gates said no."""
    why = " ".join(gate.sentence for gate in finish.gates if gate.level == "BLOCK" and not gate.passed)
    return f"The run {run} ended: {finish.state.value.replace('_', ' ')}.{' ' + why if why else ''}"
