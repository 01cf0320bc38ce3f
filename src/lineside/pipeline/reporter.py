"""What a step tells the control plane while it works: seldom enough not to disturb, complete in the end."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import msgspec

from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.run import CurvePoint, Run, RunState, Step, StepReport, StepState
from lineside.pipeline.control import Control, PatientControl, is_away

_INTERVAL = 1.0  # seconds between two words on progress


class RunCancelled(Exception):
    """A person stopped the run; the step at work ends here."""


def now() -> str:
    """This moment, RFC 3339 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class StepReporter:
    """Reports one step of one run. Progress is best effort, `done` and `failed` are not."""

    def __init__(self, control: PatientControl, run: Run, step: str) -> None:
        self._patient = control
        self._now: Control = control.impatient
        self._run = run.id
        self._step = next((known for known in run.steps if known.name == step), Step(name=step))
        self._unsent: list[CurvePoint] = []
        self._last = 0.0

    @property
    def state(self) -> StepState:
        return self._step.state

    def begin(self) -> None:
        """The step is at work now, or again: its first start counts."""
        started = self._step.started_at or now()
        changes = {"state": StepState.RUNNING, "started_at": started, "error": None, "message": ""}
        self._step = msgspec.structs.replace(self._step, **changes)
        self._patient.report_step(self._run, StepReport(step=self._step))

    def progress(self, done: float, message: str, curve: tuple[CurvePoint, ...] = ()) -> None:
        """Say how far the step is, 0..1. Raises `RunCancelled` when a person stopped the run.

        At most one report a second goes out; curve points wait for the next one, also while nobody answers.
        """
        self._unsent.extend(curve)
        self._step = msgspec.structs.replace(self._step, progress=min(max(done, 0.0), 1.0), message=message)
        if time.monotonic() - self._last < _INTERVAL:
            return
        self._last = time.monotonic()
        try:
            self._now.report_step(self._run, StepReport(step=self._step, curve=tuple(self._unsent)))
            self._unsent.clear()
            stopped = self._now.run(self._run).state is RunState.CANCELLED
        except LinesideError as error:
            if not is_away(error):
                raise
            stopped = False
        if stopped:
            raise RunCancelled(self._run)

    def again(self, why: str, seconds: float) -> None:
        """The step failed in a way that may pass, and is tried once more after a pause."""
        message = f"{why} Tried again in {seconds:g} s."
        self._step = msgspec.structs.replace(self._step, message=message)
        self._patient.report_step(self._run, StepReport(step=self._step))

    def done(self, outputs: dict[str, Any], message: str, *, cached: bool, curve: tuple[CurvePoint, ...] = ()) -> None:
        """The step's outputs are there, made now or before."""
        state = StepState.CACHED if cached else StepState.DONE
        self._unsent.extend(curve)
        self._last_word(state=state, progress=1.0, message=message, outputs=outputs)

    def skipped(self, message: str) -> None:
        """This run has no need of the step."""
        self._last_word(state=StepState.SKIPPED, progress=1.0, message=message)

    def failed(self, error: ErrorReport) -> None:
        """The step gave up."""
        self._last_word(state=StepState.FAILED, error=error, message=error.message)

    def _last_word(self, **changes: Any) -> None:
        at = now()
        started = self._step.started_at or at
        self._step = msgspec.structs.replace(self._step, started_at=started, finished_at=at, **changes)
        self._patient.report_step(self._run, StepReport(step=self._step, curve=tuple(self._unsent)))
        self._unsent.clear()
