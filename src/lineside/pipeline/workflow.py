"""A run as a durable DBOS workflow: after a crash the steps that were finished are not done again.

run ──► step ──► step ──► … ──► RunFinish
        └ recorded in DBOS when it returns; on recovery the recorded outcome is taken
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from dbos import DBOS, DBOSConfig, SetWorkflowID, error
from sqlalchemy import URL

from lineside.contract.errors import LinesideError
from lineside.contract.run import Run, RunFinish, RunState
from lineside.contract.run_order import BUILT_IN
from lineside.pipeline import gates
from lineside.pipeline.blobs import Blobs
from lineside.pipeline.control import PatientControl
from lineside.pipeline.entry import Job
from lineside.pipeline.execute import Outcome, execute
from lineside.pipeline.kept import Keeper
from lineside.pipeline.own import definition_of
from lineside.pipeline.reporter import StepReporter
from lineside.pipeline.said import StepLog
from lineside.pipeline.step import Context, Results, StepDefinition
from lineside.pipeline.steps import check, collect, evaluate, optimize, register, score, split, train

STEPS: dict[str, StepDefinition] = {
    step.name: step
    for step in (
        collect.STEP,
        split.STEP,
        check.STEP,
        train.STEP,
        evaluate.STEP,
        optimize.STEP,
        register.STEP,
        score.STEP,
    )
}

_MOST_RECOVERIES = 10_000  # the control plane counts attempts, and leaves out those that were given back
_POLL = 0.2  # seconds between two looks at a run that a crash interrupted and that goes on by itself
_ONE_VERSION = "1"  # DBOS recovers workflows of its own application version only; ours may be recovered by newer code
_logger = logging.getLogger(__name__)

Perform = Callable[[str, str, dict[str, dict[str, Any]]], Outcome]
"""Does one step: run id, step name, outputs of the steps before."""


class Workflows:
    """A run as a workflow in a SQLite file of its own. One per process: DBOS is global."""

    def __init__(self, database: Path, executor: str, perform: Perform) -> None:
        DBOS(config=_configuration(database, executor))
        self._whole = _workflow(perform)

    def launch(self) -> None:
        """Start; workflows that a crash interrupted go on by themselves."""
        DBOS.launch()

    def finish(self, run: str, kind: str, steps: Sequence[str]) -> RunFinish:
        """Do a run to its end, or wait for it when it goes on already, or say how it ended."""
        try:
            with SetWorkflowID(run):
                handle = DBOS.start_workflow(self._whole, run, kind, list(steps))
            return msgspec.convert(handle.get_result(polling_interval_sec=_POLL), RunFinish)
        except error.DBOSAwaitedWorkflowMaxRecoveryAttemptsExceeded as failure:
            return _failed(LinesideError("run.worker_died", why=failure))
        except Exception as failure:  # the boundary: a workflow that broke has ended, the worker has not
            _logger.exception("run %s broke", run)
            return _failed(LinesideError("run.step_failed", step="run", why=f"{type(failure).__name__}: {failure}"))

    def close(self) -> None:
        """Stop DBOS and forget what was registered with it."""
        DBOS.destroy(destroy_registry=True)


class Steps:
    """Does a run's steps with this worker's folders: blobs and pictures are kept, a run's own folder goes when it ends.

    `lost` is called when another attempt at the run has begun; it ends this process.
    """

    def __init__(
        self,
        control: PatientControl,
        root: Path,
        folder: Path,
        job: Job,
        log: StepLog,
        lost: Callable[[], NoReturn],
    ) -> None:
        self._control, self._folder, self._job = control, folder, job
        self._log, self._lost = log, lost
        self._keeper = Keeper(control.impatient, job.run, folder, every=job.keep_seconds)
        self._blobs = Blobs(root / "blobs", control)
        self._images = Blobs(root / "images", control)

    def perform(self, run: str, step: str, outputs: dict[str, dict[str, Any]]) -> Outcome:
        """One step of one run, see `execute`."""
        try:
            known = self._control.run(run)
        except LinesideError as failure:
            return Outcome(error=failure.report())
        own = next((one for one in known.request.steps if one.name == step), None)
        definition = STEPS[step] if own is None else definition_of(own, allowed=self._job.commands)
        with self._log.of(step):
            outcome = execute(definition, known, Results(outputs), self._context(known, step))
        if outcome.lost:
            self._lost()
        return outcome

    def _context(self, run: Run, step: str) -> Context:
        return Context(
            run=run.id,
            control=self._control,
            blobs=self._blobs,
            images=self._images,
            folder=self._folder,
            reporter=StepReporter(self._control, run, step),
            threads=self._job.threads,
            kept=self._keeper,
            say=self._log.say,
        )


def _workflow(perform: Perform) -> Callable[[str, str, list[str]], dict[str, Any]]:
    """Registers workflow and step with DBOS; what crosses its border are plain values."""

    @DBOS.step(name="step")
    def step(run: str, name: str, outputs: dict[str, dict[str, Any]]) -> dict[str, Any]:
        plain: dict[str, Any] = msgspec.to_builtins(perform(run, name, outputs))
        return plain

    @DBOS.workflow(name="run", max_recovery_attempts=_MOST_RECOVERIES)
    def whole(run: str, kind: str, steps: list[str]) -> dict[str, Any]:
        finish = _whole(kind, steps, lambda name, outputs: msgspec.convert(step(run, name, outputs), Outcome))
        plain: dict[str, Any] = msgspec.to_builtins(finish)
        return plain

    return whole


def _whole(kind: str, steps: Sequence[str], step: Callable[[str, dict[str, dict[str, Any]]], Outcome]) -> RunFinish:
    if kind not in BUILT_IN:
        return _failed(LinesideError("run.kind_unknown", kind=kind, known=", ".join(BUILT_IN)))
    outputs: dict[str, dict[str, Any]] = {}
    for name in steps:
        outcome = step(name, outputs)
        if outcome.cancelled:
            return RunFinish(state=RunState.CANCELLED)
        if outcome.error is not None:
            return RunFinish(state=RunState.FAILED, error=outcome.error)
        if outcome.outputs is not None:
            outputs[name] = outcome.outputs
    if "register" not in steps:
        return RunFinish(state=RunState.SUCCEEDED)
    registered = Results(outputs).of("register", register.Outputs)
    state = RunState.GATED if gates.blocked(registered.gates) else RunState.SUCCEEDED
    return RunFinish(state=state, gates=registered.gates, model_version=registered.model_version)


def _failed(reason: LinesideError) -> RunFinish:
    return RunFinish(state=RunState.FAILED, error=reason.report())


def _configuration(database: Path, executor: str) -> DBOSConfig:
    return DBOSConfig(
        name="lineside",
        system_database_url=URL.create("sqlite", database=str(database)).render_as_string(),
        application_version=_ONE_VERSION,
        executor_id=executor,
        log_level="ERROR",
        enable_otlp=False,
    )
