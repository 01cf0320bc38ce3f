"""`lineside agent run`: the process that keeps one device at its desired document until it is told to end."""

from __future__ import annotations

import logging
import random
import signal
import threading
import time
from types import FrameType

from lineside.agent import crash
from lineside.agent.database import Database
from lineside.agent.link import join_state
from lineside.agent.link.error import LinkError
from lineside.agent.link.hints import Hints
from lineside.agent.link.https import Link
from lineside.agent.link.outbox import Outbox
from lineside.agent.link.report import Reporter
from lineside.agent.link.uploads import Uploader
from lineside.agent.lock import locked
from lineside.agent.paths import Paths
from lineside.agent.ports import ControlPlane
from lineside.agent.supervision.orphans import end_orphans
from lineside.agent.supervision.processes import StopSignal, Wake, wait_any
from lineside.agent.supervision.service import Timing
from lineside.agent.supervision.supervise import Interrupted, Supervisor
from lineside.agent.updating.execute import Executor
from lineside.agent.updating.reconcile import Reconciler
from lineside.agent.updating.state import State
from lineside.agent.updating.store import Store
from lineside.contract.desired import Desired
from lineside.contract.errors import RemoteError

MAX_BACKOFF = 30.0
"""Seconds between two tries to reach a control plane that is away, at most; or the poll interval, if longer."""

_log = logging.getLogger(__name__)


class Agent:
    """One device's agent, wired: `run` until `stop` is set."""

    def __init__(self, paths: Paths, control: ControlPlane, timing: Timing | None = None) -> None:
        joined = join_state.load(paths)
        for folder in (paths.inbox, paths.captures):
            folder.mkdir(parents=True, exist_ok=True)
        self.stop = StopSignal()
        self.wake = Wake()
        self._hinted = threading.Event()
        self._database = Database(paths.database)
        self._control = control
        self._state = State(self._database)
        self._supervisor = Supervisor(self._state, self.wake, self.stop, timing or Timing())
        self._executor = Executor(paths, joined, self._state, Store(paths.store), control, self._supervisor)
        outbox = Outbox(self._database)
        self._reporter = Reporter(joined.device, paths.root, self._state, outbox, control, self._supervisor)
        self._reconciler = Reconciler(self._state, self._executor, self._supervisor, self._reporter)
        self._hints = Hints(joined, paths, self.hint)
        self._uploader = Uploader(paths.captures, control, self.stop)
        self._paths = paths
        self._failures = 0

    def hint(self) -> None:
        """Ask for the desired document soon."""
        self._hinted.set()
        self.wake.set()

    def run(self) -> None:
        """Work until `stop` is set, then stop every component."""
        orphans = end_orphans(self._paths, self._state)
        if orphans:
            _log.warning("ended %d processes that an earlier agent left behind", orphans)
        self._executor.check_disk()
        self._hints.start()
        self._uploader.start()
        try:
            self._live()
        except Interrupted:
            _log.info("interrupted; the next start goes on")
        finally:
            self.stop.set()
            self._hints.stop()
            self._supervisor.stop_all()
            self._uploader.join()
            self._database.close()

    def _live(self) -> None:
        saved = self._state.desired()
        if saved is not None:
            self._try_round(saved.document)  # what ran before runs again, even with no network
        next_poll = 0.0
        while not self.stop.is_set():
            self.wake.clear()
            if self._hinted.is_set() or time.monotonic() >= next_poll:
                self._hinted.clear()
                next_poll = time.monotonic() + self._poll()
            self._say()
            if not self._hinted.is_set():  # a wait inside the round may have taken the wake signal
                wait_any((self.wake, self.stop), next_poll - time.monotonic())

    def _poll(self) -> float:
        """Ask for the desired document and become it; how many seconds to wait until the next time."""
        saved = self._state.desired()
        try:
            answer = self._control.desired(saved.etag if saved else None)
            if answer is not None:
                self._state.save_desired(*answer)
                crash.point("desired.saved")
            desired = answer[0] if answer else saved.document if saved else None
            if desired is not None:
                self._reconciler.round(desired)
            self._reporter.flush()
        except (LinkError, RemoteError) as error:
            return self._back_off(error, saved.document.poll_seconds if saved else 0.0)
        self._failures = 0
        return _jittered(desired.poll_seconds if desired else 1.0)

    def _back_off(self, error: LinkError | RemoteError, poll_seconds: float) -> float:
        self._failures += 1
        _log.warning("%s", error)
        if isinstance(error, LinkError) and error.retry_after is not None:
            return _jittered(error.retry_after, 1.0, 1.2)
        limit = max(MAX_BACKOFF, poll_seconds)
        return _jittered(min(limit, 0.5 * 2.0 ** min(self._failures, 16)), 0.5, 1.0)

    def _try_round(self, desired: Desired) -> None:
        try:
            self._reconciler.round(desired)
        except (LinkError, RemoteError) as error:
            _log.warning("%s", error)

    def _say(self) -> None:
        saved = self._state.desired()
        if saved is not None:
            self._reconciler.say(saved.document)


def _jittered(seconds: float, low: float = 0.8, high: float = 1.2) -> float:
    """So that a fleet that was switched on together does not ask together."""
    return max(0.05, seconds * random.uniform(low, high))


def run(paths: Paths) -> None:
    """Run the agent on a joined root until SIGTERM or SIGINT. Raises `agent.not_joined`, `agent.root_in_use`."""
    joined = join_state.load(paths)
    with locked(paths):
        control = Link(joined.url, joined.device, paths.key, paths.ca)
        agent = Agent(paths, control)

        def end(number: int, frame: FrameType | None) -> None:
            agent.stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        try:
            agent.run()
        finally:
            control.close()
