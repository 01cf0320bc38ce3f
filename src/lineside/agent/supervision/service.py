"""One component's thread: it waits for its turn, lives, and after an error recovers and lives again.

BROKEN is what a trial fails on. A component is down while a person holds it, and while one that it cannot do without
(a HARD dependency) is not ready; that is no error.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from lineside.agent.attention import Attention
from lineside.agent.supervision import probe
from lineside.agent.supervision.failures import Failures, Timing
from lineside.agent.supervision.launch import Launch
from lineside.agent.supervision.life import Life
from lineside.agent.supervision.orders import DownAsked, EndAsked, Orders, SaidErrored
from lineside.agent.supervision.scripts import GRACE, run_step
from lineside.agent.supervision.standing import Standing
from lineside.agent.supervision.walls.cgroups import Corner
from lineside.agent.supervision.walls.surroundings import FATAL, Surroundings
from lineside.agent.updating.state import State
from lineside.contract.errors import LinesideError
from lineside.contract.reported import ComponentState

_FATAL = (
    "component.golden_mismatch",
    "component.probe_failed",
    "component.not_ready",
    "component.probe_address",
    *FATAL,
)
_log = logging.getLogger(__name__)

__all__ = ["Service", "Timing"]


class Service:
    """A component's thread and what it knows. `may_run(up)` tells whether those it depends on let it
    start, or go on when it is up."""

    def __init__(
        self,
        launch: Launch,
        timing: Timing,
        state: State,
        changed: Callable[[], None],
        may_run: Callable[[bool], bool] = lambda up: True,
        corner: Corner | None = None,
    ) -> None:
        self.launch = launch
        self.orders = Orders(may_run)
        self.down = threading.Event()  # nothing of it runs
        self.down.set()
        self._standing = Standing(changed)
        self._timing = timing
        self._failures = Failures(timing)
        self._surroundings = Surroundings(launch, corner)
        self._life = Life(self._surroundings, self.orders, self._standing, self._failures, timing, state)
        self._thread = threading.Thread(target=self._live, name=f"component {launch.name}", daemon=True)

    # --- any thread -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self, patience: float) -> None:
        """Stop it: its Shutdown step, SIGTERM, SIGKILL, all within `patience` seconds; returns when it is gone."""
        self.orders.end(patience)
        self._thread.join()
        self.orders.close()

    def relaunch(self, launch: Launch) -> None:
        """What it is started with from its next start on; what runs is left alone."""
        self.launch = launch
        self._surroundings.launch = launch

    def report_state(self, state: ComponentState) -> None:
        """What the component says of itself: RUNNING ends its Startup step, ERRORED is an error (UpdateState)."""
        self.orders.say(state)

    def hold(self, held: bool, *, stopped: bool = False) -> None:
        """Take it down until it is let go; the errors it made before are forgotten then. `stopped`: a person wants it
        so, for longer than a restart takes."""
        if not held:
            self._failures.forget()
        self.orders.hold(held, stopped=stopped)

    def pause(self) -> None:
        """Stop every process of it where it is."""
        self._surroundings.pause()

    def resume(self) -> None:
        """Let them go on."""
        self._surroundings.resume()

    def probe_now(self, attention: Attention) -> None:
        """Probe a ready component until it says yes again: it has taken up what it follows, too. Raises what the probe
        found, `component.not_ready` when its time is over or it has ended, `Interrupted`, `Superseded`."""
        if self._surroundings.paused:
            return
        limit = probe.patience(self.launch)
        until = time.monotonic() + limit
        while True:
            asked = time.monotonic()
            answer = probe.ask(self._surroundings, attention.off, until - asked, settling=True)
            attention.check()
            if answer.readiness is probe.Readiness.READY:
                self._standing.heard(answer.said, asked)
                return
            if answer.error is not None:
                raise answer.error
            if self.lost or time.monotonic() + self._timing.probe_interval >= until:
                raise self._life.silent(limit, answer.why, again=False)
            attention.clear()
            attention.wait(self._timing.probe_interval)

    @property
    def state(self) -> ComponentState:
        """Its state in Greengrass's words."""
        return self._standing.state

    @property
    def ready_since(self) -> float | None:
        """Since when it is ready (time.monotonic())."""
        return self._standing.ready_since

    @property
    def lost(self) -> bool:
        """Whether it was ready and is not any more."""
        return self._standing.was_ready and self._standing.ready_since is None

    @property
    def probe(self) -> dict[str, Any]:
        """What its probe last said."""
        return self._standing.probe

    @property
    def error(self) -> LinesideError | None:
        """What is wrong with it, until it is ready again."""
        if self.orders.stopped and self.down.is_set():
            return LinesideError("component.stopped_by_hand", name=self.launch.name)
        return self._standing.error

    @property
    def limits(self) -> str:
        """How its limits are held."""
        return self._surroundings.limits

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return max(0, self._standing.starts - 1)

    def pids(self, groups: Mapping[int, list[int]]) -> list[int]:
        """Its processes, out of those there are by process group."""
        return self._surroundings.pids(groups)

    @property
    def doing(self) -> str:
        """What its thread does now, in a few words."""
        return self._standing.activity.what

    def stuck(self) -> str | None:
        """What its thread does for longer than it may, or that it has gone."""
        if not self._thread.is_alive() and self._thread.ident is not None and not self.orders.ended:
            return "its thread has ended"
        return self._standing.stuck()

    # --- inside the thread ----------------------------------------------------------------------------------------

    def _live(self) -> None:
        try:
            while True:
                self._await_turn()
                self._one_life()
        except EndAsked:
            pass
        finally:
            self._surroundings.close(min(GRACE, self.orders.patience))
            self._standing.become(ComponentState.STOPPING)
            self.down.set()

    def _await_turn(self) -> None:
        """Wait until nothing keeps it down. Raises `EndAsked`."""
        self.orders.up = False
        self._standing.does("waits")
        while True:
            try:
                self.orders.rest(0.0)
                return
            except SaidErrored:
                self.orders.begin()
            except DownAsked:
                state = ComponentState.FINISHED if self.orders.stopped else ComponentState.INSTALLED
                if (self._standing.state, self.down.is_set()) != (state, True):
                    self.down.set()
                    self._standing.become(state)
                self.orders.wait(60.0)

    def _one_life(self) -> None:
        self.down.clear()
        self.orders.up = True
        try:
            self._life.live()
        except DownAsked:
            return
        except SaidErrored:
            self._failed(LinesideError("component.said_errored", name=self.launch.name, log=self.launch.log))
        except LinesideError as error:
            self._failed(error)
        except OSError as error:  # no memory for a process, a directory gone
            self._failed(self._problem(str(error)))
        except EndAsked:
            raise
        except Exception as error:  # noqa: BLE001 one component's surprise must not end its thread
            _log.exception("component %s", self.launch.name)
            self._failed(self._problem(f"{type(error).__name__}: {error}"))

    def _failed(self, error: LinesideError) -> None:
        self.orders.begin()
        broken = self._failures.add() or error.code in _FATAL
        self._standing.error = error
        self._standing.become(ComponentState.BROKEN if broken else ComponentState.ERRORED)
        try:
            self._recover()
            self._standing.does("waits to be started again")
            self.orders.rest(self._failures.delay())
        except (DownAsked, SaidErrored):
            return

    def _recover(self) -> None:
        step = self.launch.lifecycle.get("recover")
        if step is None or not self._surroundings.prepared:
            return
        self._standing.does("runs its Recover step", step.timeout or None)
        try:
            run_step(self._surroundings, "recover", self.orders)
        except OSError as error:
            _log.warning("the Recover step of %s could not be started: %s", self.launch.name, error)

    def _problem(self, why: str) -> LinesideError:
        return LinesideError(
            "component.install_failed", step="Run", name=self.launch.name, why=why, log=self.launch.log
        )
