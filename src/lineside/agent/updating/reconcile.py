"""Becoming the desired document: plan, carry out, plan again, until nothing is left; and what to say about it.

Before `Begin` a failure is a refusal: nothing was touched, what runs keeps running. After it the trial has failed, and
the next planning round returns to exactly what ran before (or holds still, if the policy is DO_NOTHING).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import msgspec

from lineside.agent import crash
from lineside.agent.attention import Attention
from lineside.agent.link.error import LinkError
from lineside.agent.link.report import Reporter
from lineside.agent.supervision.supervise import Supervisor
from lineside.agent.updating.execute import Executor
from lineside.agent.updating.installed import document_of, trial_failed_phase
from lineside.agent.updating.state import State
from lineside.agent.updating.steps import Collect, FetchArtifact, FetchRecipe, RefreshTrust, Stage, Step, brief
from lineside.contract.desired import Desired
from lineside.contract.errors import ErrorReport, Kind, LinesideError, RemoteError
from lineside.contract.reported import Phase

_log = logging.getLogger(__name__)

_PHASES: dict[type, Phase] = {
    RefreshTrust: Phase.FETCHING,
    FetchRecipe: Phase.FETCHING,
    FetchArtifact: Phase.FETCHING,
    Stage: Phase.INSTALLING,
}
"""What a step of this kind is reported as; the others are STARTING."""

MAX_RETRY = 600.0
"""Seconds between two tries of a document that was refused, at most."""


class Refusal(msgspec.Struct, frozen=True):
    """A document that was not believed or cannot be met, and when to look again (time.monotonic())."""

    document: str
    error: LinesideError
    times: int
    again_at: float


class Reconciler:
    """Makes one device become its desired document."""

    def __init__(
        self,
        state: State,
        executor: Executor,
        supervisor: Supervisor,
        reporter: Reporter,
        attention: Attention,
        unmet: Callable[[str], tuple[Phase, ErrorReport | None] | None] = lambda document: None,
    ) -> None:
        self._state = state
        self._attention = attention
        self._executor = executor
        self._supervisor = supervisor
        self._reporter = reporter
        self._unmet = unmet  # how far a document is that the control plane does not want, and why
        self._lock = threading.Lock()
        self._doing: tuple[str, Phase] | None = None  # the document under way, and what is done for it
        self._refusal: Refusal | None = None
        self._away: ErrorReport | None = None  # why the document could not be fetched yet

    def round(self, desired: Desired) -> float | None:
        """Go as far as possible now; in how many seconds to try again what was refused, if anything was.

        Raises `LinkError`, a refusal to talk to this device, `Interrupted`, `Superseded`.
        """
        document = document_of(desired)
        try:
            return self._round(desired, document)
        finally:
            self._doing = None
            self.say(desired)

    def _round(self, desired: Desired, document: str) -> float | None:
        if not self._waits(document):
            try:
                self._carry_on(desired, document)
                self._refusal, self._away = None, None
            except LinkError as error:
                self._away = error.report()
                raise
            except LinesideError as error:
                if isinstance(error, RemoteError) and error.kind in (Kind.UNAUTHENTICATED, Kind.FORBIDDEN):
                    raise
                self._refuse(desired, document, error)
        return None if self._refusal is None else max(0.0, self._refusal.again_at - time.monotonic())

    def refusal(self, document: str) -> ErrorReport | None:
        """Why a document is refused; None when it is not."""
        found = self._refusal
        return found.error.report() if found is not None and found.document == document else None

    def say(self, desired: Desired) -> None:
        """Report how things stand. Any thread may; a report never tells less than one queued before it."""
        with self._lock:
            phase, error = self._standing(desired)
            self._reporter.say(desired.revision, phase, error)

    def _carry_on(self, desired: Desired, document: str) -> None:
        while steps := self._executor.plan(desired):
            for step in steps:
                try:
                    self._carry_out(step, desired)
                except LinkError:
                    raise
                except LinesideError as error:
                    if self._executor.begun != document:
                        raise
                    self._fail(error, desired)
                    break

    def _carry_out(self, step: Step, desired: Desired) -> None:
        _log.info("%s", brief(step))
        self._attention.check()
        if not isinstance(step, Collect):
            self._doing = document_of(desired), _PHASES.get(type(step), Phase.STARTING)
            self.say(desired)
        self._executor.carry_out(step)

    def _fail(self, error: LinesideError, desired: Desired) -> None:
        _log.warning("revision %d failed: %s", desired.revision, error)
        self._state.fail(error.report(), held=desired.failure_policy == "DO_NOTHING")
        self._executor.begun = None
        crash.point("failure.recorded")
        self._executor.over(desired)

    def _refuse(self, desired: Desired, document: str, error: LinesideError) -> None:
        _log.warning("revision %d refused: %s", desired.revision, error)
        before = self._refusal
        times = before.times + 1 if before and before.document == document else 1
        wait = min(MAX_RETRY, desired.poll_seconds * 2.0 ** min(times - 1, 16))
        self._refusal = Refusal(document, error, times, time.monotonic() + wait)

    def _waits(self, document: str) -> bool:
        refusal = self._refusal
        return refusal is not None and refusal.document == document and time.monotonic() < refusal.again_at

    def _standing(self, desired: Desired) -> tuple[Phase, ErrorReport | None]:
        doing, refusal, document = self._doing, self._refusal, document_of(desired)
        if doing is not None and doing[0] == document:
            return doing[1], None
        good, outcome, broken = self._state.good(), self._state.outcome(), self._supervisor.broken()
        unmet = self._unmet(document)  # then neither its failure nor its health is the desired document's
        if outcome is not None and outcome.document == document:
            if unmet is not None and broken is None:
                return unmet
            phase = trial_failed_phase(good, outcome)
            return (Phase.FAILED if broken or refusal else phase), outcome.error
        if refusal is not None and refusal.document == document:
            return unmet or (Phase.REFUSED, refusal.error.report())
        if good.document != document:
            return Phase.FETCHING, self._away
        if broken is not None:
            return Phase.FAILED, broken.report()
        if not self._supervisor.all_ready():
            return Phase.STARTING, None
        return unmet or (Phase.HEALTHY if good.components else Phase.IDLE, None)
