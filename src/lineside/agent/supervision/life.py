"""One life of a component, from Install to Shutdown (Greengrass V2 lifecycle).

NEW ► (Install) INSTALLED ► STARTING ► RUNNING ► (Run ends with 0) FINISHED
                                │  fails  │
                                └► ERRORED ◄┘

Install   at every new version and every start of the agent, not at a mere restart
Run       RUNNING once started (with a Probe: once that is ready); exit 0 is FINISHED, anything else an error
Startup   RUNNING at exit 0, or when the component says RUNNING by UpdateState: its process may stay, and so may what
          it leaves in the background
Shutdown  whenever something that was started is still there
nothing   FINISHED at once (a component of files only)
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable

from lineside.agent.supervision import probe
from lineside.agent.supervision.failures import Failures, Timing
from lineside.agent.supervision.launch import Launch
from lineside.agent.supervision.orders import Orders
from lineside.agent.supervision.probe import Readiness
from lineside.agent.supervision.processes import Child, Ended, StopSignal, start_time
from lineside.agent.supervision.scripts import GRACE, how, run_step, skipped
from lineside.agent.supervision.standing import Standing
from lineside.agent.supervision.walls.surroundings import Surroundings
from lineside.agent.updating.state import State
from lineside.contract.errors import LinesideError
from lineside.contract.recipes.recipe import DEFAULT_TIMEOUTS
from lineside.contract.reported import ComponentState

_log = logging.getLogger(__name__)
_LAST_WORDS = 10.0  # seconds for the probe of a component that has just died
_LOOK = 600.0


class Life:
    """`live` returns never: it raises what broke it off, an order or an error."""

    def __init__(
        self,
        surroundings: Surroundings,
        orders: Orders,
        standing: Standing,
        failures: Failures,
        timing: Timing,
        records: State,
    ) -> None:
        self._around = surroundings
        self._orders = orders
        self._standing = standing
        self._failures = failures
        self._timing = timing
        self._records = records
        self._killed_before = 0

    @property
    def _launch(self) -> Launch:
        return self._around.launch

    def live(self) -> None:
        """Install, start, watch. Raises `EndAsked`, `DownAsked`, `LinesideError`, `OSError`."""
        self._orders.begin()
        self._standing.does("prepares", 60.0)
        self._around.prepare()
        self._killed_before = self._around.out_of_memory()
        if not self._standing.installed:
            self._standing.become(ComponentState.NEW)
            self._step("install")
            self._standing.installed = True
        self._standing.become(ComponentState.INSTALLED)
        self._standing.starts += 1
        self._failures.started()
        self._standing.become(ComponentState.STARTING)
        for key in ("run", "startup"):
            step = self._launch.lifecycle.get(key)
            if step is not None and not skipped(step, self._launch):
                self._process(key)
        self._files_only()

    def _files_only(self) -> None:
        """Nothing to run, but perhaps something to ask."""
        self._await_ready(None)
        state = ComponentState.RUNNING if "startup" in self._launch.lifecycle else ComponentState.FINISHED
        self._standing.become(state, ready=True)
        try:
            self._watch(None)
        finally:
            self._shut_down(None)

    def _process(self, key: str) -> None:
        child = self._around.spawn(self._launch.lifecycle[key], keep_group=key == "startup")
        try:
            self._record(lambda: self._records.add_process(child.pid, start_time(child.pid) or 0, self._launch.name))
            if key == "run":
                self._run(child)
            else:
                self._startup(child)
        finally:
            self._standing.ready_since = None
            if child.code is None or key == "startup":
                self._shut_down(child)
            else:
                self._around.end_all(GRACE)  # what it left elsewhere
            self._record(lambda: self._records.drop_process(child.pid))

    def _record(self, write: Callable[[], None]) -> None:
        """Note a process for the next agent. A disk that refuses must not keep a component from running."""
        try:
            write()
        except (sqlite3.Error, OSError, LinesideError) as error:
            _log.warning("a process of %s could not be noted: %s", self._launch.name, error)

    def _run(self, child: Child) -> None:
        if "probe" not in self._launch.lifecycle:
            self._standing.become(ComponentState.RUNNING)
        self._await_ready(child)
        self._standing.become(ComponentState.RUNNING, ready=True)
        self._watch(child, self._launch.lifecycle["run"].timeout or None)
        if child.code != 0:
            raise self._exited(child)
        self._around.drain()
        self._standing.become(ComponentState.FINISHED, ready=True)
        self._rest()

    def _startup(self, child: Child) -> None:
        self._await_started(child)
        self._standing.become(ComponentState.RUNNING)
        self._await_ready(child)
        self._standing.become(ComponentState.RUNNING, ready=True)
        self._watch(child)
        if child.code != 0:
            raise self._exited(child)
        self._watch(None)

    def _await_started(self, child: Child) -> None:
        """Until the Startup script has ended with 0, or the component has said that it is RUNNING."""
        limit = self._launch.lifecycle["startup"].timeout or None
        self._standing.does("runs its Startup step", limit)
        until = None if limit is None else time.monotonic() + limit
        while not self._orders.running_said.is_set():
            left = _LOOK if until is None else max(0.0, until - time.monotonic())
            ended = child.wait(min(left, 1.0), self._orders)
            if ended is Ended.EXITED:
                if child.code != 0:
                    raise self._problem("Startup", how(child.code or 0))
                return
            self._orders.check()
            if ended is Ended.TIMED_OUT and until is not None and time.monotonic() >= until:
                raise self._problem("Startup", Ended.TIMED_OUT.value)

    def _watch(self, child: Child | None, limit: float | None = None) -> None:
        """Until its process ends (or for ever, without one), at most `limit` seconds.

        Now and then it is probed, and the kernel is asked whether it had to end a process of it for want of memory.
        """
        ends = float("inf") if limit is None or child is None else child.began + limit
        probing = "probe" in self._launch.lifecycle
        next_probe = time.monotonic() + self._timing.probe_every if probing else float("inf")
        look = self._timing.memory_every if self._around.memory_held else _LOOK
        while True:
            self._standing.does("waits")
            now = time.monotonic()
            pause = max(0.0, min(ends - now, next_probe - now, look))
            ended = child.wait(pause, self._orders) if child else self._wait(pause)
            if ended is Ended.EXITED:
                return
            self._orders.check()
            if self._around.out_of_memory() > self._killed_before:
                raise self._out_of_memory()
            if time.monotonic() >= ends:
                raise self._problem("Run", Ended.TIMED_OUT.value)
            if time.monotonic() >= next_probe:
                if not self._around.paused:
                    self._await_ready(child, again=True)
                next_probe = time.monotonic() + self._timing.probe_every

    def _rest(self) -> None:
        """Until something is asked."""
        while True:
            self._standing.does("waits")
            self._orders.rest(_LOOK)

    def _wait(self, seconds: float) -> Ended:
        if self._orders.is_set():
            return Ended.STOPPED
        self._orders.wait(seconds)
        return Ended.STOPPED if self._orders.is_set() else Ended.TIMED_OUT

    def _await_ready(self, child: Child | None, *, again: bool = False) -> None:
        limit = probe.patience(self._launch)
        self._standing.does("is probed", limit + 10.0)
        until = time.monotonic() + limit
        why = ""
        while True:
            left = until - time.monotonic()
            if left <= 0:
                raise self.silent(limit, why, again=again)
            asked = time.monotonic()
            answer = probe.ask(self._around, self._orders, left)
            self._orders.check()
            if answer.error is not None:
                self._standing.probe = answer.said
                raise answer.error
            self._standing.heard(answer.said, asked)
            if answer.readiness is Readiness.READY:
                break
            why = answer.why or why
            pause = max(0.0, min(self._timing.probe_interval, until - time.monotonic()))
            ended = child.wait(pause, self._orders) if child and child.code is None else self._wait(pause)
            self._orders.check()
            if ended is Ended.EXITED and child is not None:
                self._gone_before_ready(child)
        self._golden()

    def _gone_before_ready(self, child: Child) -> None:
        """A process that ends with 0 may have done all there is to do; the probe has the last word."""
        if child.code != 0 or probe.ask(self._around, self._orders, _LAST_WORDS).readiness is not Readiness.READY:
            raise self._exited(child)

    def _golden(self) -> None:
        if self._standing.golden is None:
            self._standing.does("runs its golden inputs", probe.patience(self._launch, "goldeninputs") + 10.0)
            golden = probe.check_golden(self._around, self._orders)
            self._orders.check()
            self._standing.golden = golden
            self._standing.heard(self._standing.probe, time.monotonic())

    def _step(self, key: str) -> None:
        step = self._launch.lifecycle.get(key)
        self._standing.does(f"runs its {key.capitalize()} step", (step.timeout or None) if step else 0.0)
        finished = run_step(self._around, key, self._orders)
        if finished.ended is Ended.STOPPED:
            self._orders.check()
        if not finished.ok:
            raise self._problem(key.capitalize(), finished.why)

    def _shut_down(self, child: Child | None) -> None:
        self._around.resume()
        if child is not None or "shutdown" in self._launch.lifecycle:
            self._standing.become(ComponentState.STOPPING)
        patience = self._orders.patience
        self._standing.does("shuts down", patience + GRACE)
        until = time.monotonic() + patience
        never = StopSignal()
        try:
            step = self._launch.lifecycle.get("shutdown")
            if step is not None and patience > 0:
                limit = min(step.timeout or DEFAULT_TIMEOUTS["shutdown"], patience)
                run_step(self._around, "shutdown", never, limit)
        finally:
            never.close()
            grace = max(0.0, min(GRACE, until - time.monotonic()))
            if child is not None:
                child.end(grace)
            self._around.end_all(grace)
            self._around.drain()

    # --- errors ---------------------------------------------------------------------------------------------------

    def _exited(self, child: Child) -> LinesideError:
        """Why a process ended early: the memory limit, what the probe knows about it, else its exit status."""
        self._around.drain()
        if self._around.out_of_memory() > self._killed_before:
            return self._out_of_memory()
        answer = probe.ask(self._around, self._orders, _LAST_WORDS)
        if answer.said:
            self._standing.probe = answer.said
        return answer.error or self._failures.explain(self._launch.name, how(child.code or 0), self._launch.log)

    def _out_of_memory(self) -> LinesideError:
        limit = (self._launch.run_with.system_resource_limits.memory or 0) / 1024
        return LinesideError(
            "component.out_of_memory", name=self._launch.name, limit=f"{limit:g}", log=self._launch.log
        )

    def _problem(self, step: str, why: str) -> LinesideError:
        return LinesideError(
            "component.install_failed", step=step, name=self._launch.name, why=why, log=self._launch.log
        )

    def silent(self, seconds: float, why: str, *, again: bool) -> LinesideError:
        """What a component has done that did not say within so many seconds that it is ready, or is so still."""
        code = "component.hung" if again else "component.not_ready"
        return LinesideError(
            code, name=self._launch.name, seconds=f"{seconds:g}", why=why or "no answer", log=self._launch.log
        )
