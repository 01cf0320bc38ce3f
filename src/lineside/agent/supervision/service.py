"""One running component: a thread that installs, starts, probes, watches and restarts it (Greengrass V2 lifecycle).

    NEW ► STARTING ► RUNNING ► (exit 0) FINISHED
             ▲          │ fails
             └─ ERRORED ◄┘ ── three times in a row, or a probe that says never ──► BROKEN

BROKEN is what a trial fails on. Outside a trial the component is still restarted, with capped back-off: a device in a
factory goes on trying.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from lineside.agent.attention import Attention
from lineside.agent.supervision.launch import Launch
from lineside.agent.supervision.logs import open_log, rotate
from lineside.agent.supervision.probe import Readiness, ask
from lineside.agent.supervision.processes import MARKER, Child, Ended, StopSignal, end_process, marked, start_time
from lineside.agent.supervision.scripts import GRACE, Finished, how, run_step, spawn
from lineside.agent.updating.state import State
from lineside.contract.errors import LinesideError
from lineside.contract.recipes.recipe import DEFAULT_TIMEOUTS
from lineside.contract.reported import ComponentState

_FATAL = ("component.golden_mismatch", "component.probe_failed", "component.not_ready")
_LOG_CHECK = 10.0
_LAST_WORDS = 10.0  # seconds for the probe of a component that has just died


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How patient the supervisor is; seconds."""

    probe_interval: float = 1.0
    backoff: float = 0.5  # before the second start; doubles with each failure
    backoff_cap: float = 60.0
    errors: int = 3  # in a row, until a component is BROKEN
    calm: float = 3600.0  # running for this long forgets earlier errors


class _StopAsked(Exception):
    """The component is to stop; not an error."""


class Service:
    """A component's thread and what it knows. `changed` is called whenever `state` or `ready` changes."""

    def __init__(self, launch: Launch, timing: Timing, state: State, changed: Callable[[], None]) -> None:
        self.launch = launch
        self.state = ComponentState.NEW
        self.ready_since: float | None = None  # time.monotonic()
        self.probe: dict[str, Any] = {}
        self.starts = 0
        self.error: LinesideError | None = None
        self._timing = timing
        self._records = state
        self._changed = changed
        self._stop = StopSignal()
        self._patience = 60.0
        self._installed = False
        self._errors = 0
        self._thread = threading.Thread(target=self._live, name=f"component {launch.name}", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self, patience: float) -> None:
        """Stop it: its Shutdown step, SIGTERM, SIGKILL, all within `patience` seconds; returns when it is gone."""
        self._patience = patience
        self._stop.set()
        self._thread.join()
        self._stop.close()

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return max(0, self.starts - 1)

    def probe_now(self, attention: Attention) -> None:
        """Probe a ready component once more. Raises what the probe found, `component.not_ready` when it hangs,
        `Interrupted`, `Superseded`."""
        answer = ask(self.launch, attention.off, self._probe_limit())
        attention.check()
        if answer.readiness is Readiness.READY:
            self.probe = answer.said
            self._changed()
            return
        raise answer.error or self._not_ready()

    # --- inside the thread ----------------------------------------------------------------------------------------

    def _live(self) -> None:
        while not self._stop.is_set():
            try:
                self._start_and_watch()
            except _StopAsked:
                break
            except LinesideError as error:
                self._failed(error)
            except OSError as error:  # no memory for a process, a directory gone
                self._failed(self._problem("Run", str(error)))
        self._end_strays()
        self._set(ComponentState.STOPPING)

    def _end_strays(self) -> None:
        """End what the component started outside its process group."""
        for pid, started in marked(self.launch.environment[MARKER], self.launch.name):
            end_process(pid, started, min(GRACE, self._patience))

    def _start_and_watch(self) -> None:
        """One life of the component: returns only when it is to stop, raises when it fails."""
        self._set(ComponentState.STARTING)
        self.starts += 1
        if not self._installed:
            self._step("install")
            self._installed = True
        if "run" in self.launch.lifecycle:
            self._run()
            return
        self._step("startup")
        self._await_ready(None)
        self._set(ComponentState.RUNNING if "startup" in self.launch.lifecycle else ComponentState.FINISHED, ready=True)
        self._until_stopped()
        self._shut_down(None)
        raise _StopAsked

    def _run(self) -> None:
        with open_log(self.launch.log) as log:
            child = spawn(self.launch, self.launch.lifecycle["run"], log, log)
        self._records.add_process(child.pid, start_time(child.pid) or 0, self.launch.name)
        try:
            self._await_ready(child)
            self._set(ComponentState.RUNNING, ready=True)
            self._watch(child)
        finally:
            self.ready_since = None
            if child.code is None:
                self._shut_down(child)
            self._records.drop_process(child.pid)

    def _watch(self, child: Child) -> None:
        """Until it exits or is to stop. Exit 0 is a component that has done its work."""
        began = time.monotonic()
        while (ended := child.wait(_LOG_CHECK, self._stop)) is Ended.TIMED_OUT:
            rotate(self.launch.log)
            if time.monotonic() - began > self._timing.calm:
                self._errors = 0
        if ended is Ended.STOPPED:
            raise _StopAsked
        if child.code != 0:
            raise self._exited(child)
        self._set(ComponentState.FINISHED, ready=True)
        self._until_stopped()
        raise _StopAsked

    def _until_stopped(self) -> None:
        while not self._stop.wait(_LOG_CHECK):
            rotate(self.launch.log)

    def _await_ready(self, child: Child | None) -> None:
        deadline = time.monotonic() + self._probe_limit()
        while True:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise self._not_ready()
            answer = ask(self.launch, self._stop, remaining)
            self.probe = answer.said
            if answer.readiness is Readiness.READY:
                return
            if answer.error is not None:
                raise answer.error
            self._pause(child, min(self._timing.probe_interval, max(0.0, deadline - time.monotonic())))

    def _pause(self, child: Child | None, seconds: float) -> None:
        """Wait between two probes, unless the process ends first."""
        ended = child.wait(seconds, self._stop) if child else self._wait_stop(seconds)
        if ended is Ended.STOPPED:
            raise _StopAsked
        if ended is Ended.EXITED and child is not None:
            raise self._exited(child)

    def _wait_stop(self, seconds: float) -> Ended:
        return Ended.STOPPED if self._stop.wait(seconds) else Ended.TIMED_OUT

    def _step(self, key: str) -> None:
        finished = run_step(self.launch, key, self._stop)
        if finished.ended is Ended.STOPPED:
            raise _StopAsked
        if not finished.ok:
            raise self._problem(key.capitalize(), finished.why)

    def _shut_down(self, child: Child | None) -> None:
        self._set(ComponentState.STOPPING)
        until = time.monotonic() + self._patience
        never = StopSignal()
        try:
            step = self.launch.lifecycle.get("shutdown")
            if step is not None and self._patience > 0:
                limit = min(step.timeout or DEFAULT_TIMEOUTS["shutdown"], self._patience)
                run_step(self.launch, "shutdown", never, limit)
        finally:
            never.close()
            if child is not None:
                child.end(max(0.0, min(GRACE, until - time.monotonic())))

    def _failed(self, error: LinesideError) -> None:
        self._errors += 1
        broken = error.code in _FATAL or self._errors >= self._timing.errors
        self.error = error
        self._set(ComponentState.BROKEN if broken else ComponentState.ERRORED)
        self._recover()
        delay = self._timing.backoff * 2.0 ** min(self._errors - 1, 16)
        self._stop.wait(min(delay, self._timing.backoff_cap))

    def _recover(self) -> Finished:
        return run_step(self.launch, "recover", self._stop)

    def _set(self, state: ComponentState, *, ready: bool = False) -> None:
        if ready and self.ready_since is None:
            self.ready_since = time.monotonic()
            self.error = None
        elif not ready:
            self.ready_since = None
        self.state = state
        self._changed()

    # --- errors ---------------------------------------------------------------------------------------------------

    def _probe_limit(self) -> float:
        step = self.launch.lifecycle.get("probe")
        return step.timeout if step is not None and step.timeout else DEFAULT_TIMEOUTS["probe"]

    def _exited(self, child: Child) -> LinesideError:
        """Why a process ended early: what the probe knows about it, else its exit status."""
        why = how(child.code or 0)
        answer = ask(self.launch, self._stop, _LAST_WORDS)
        if answer.said:
            self.probe = answer.said
        return answer.error or LinesideError(
            "component.broken", name=self.launch.name, errors=self._errors + 1, why=why, log=self.launch.log
        )

    def _problem(self, step: str, why: str) -> LinesideError:
        return LinesideError("component.install_failed", step=step, name=self.launch.name, why=why, log=self.launch.log)

    def _not_ready(self) -> LinesideError:
        return LinesideError(
            "component.not_ready", name=self.launch.name, seconds=f"{self._probe_limit():g}", log=self.launch.log
        )
