"""`lineside agent run`: the process that keeps one device at its desired document until it is told to end.

Two threads: the link thread asks for the desired document and hands reports over (`link.polling`); the update thread,
which is the process's main thread, plans and carries out. A newer document breaks off whatever the update thread does.
"""

from __future__ import annotations

import logging
import signal
import sqlite3
from types import FrameType

from lineside.agent.attention import Attention, Interrupted, RestartAsked, Superseded
from lineside.agent.backoff import Backoff
from lineside.agent.clock import DEVICE
from lineside.agent.database import Database
from lineside.agent.health.conditions import Conditions
from lineside.agent.health.disk import DiskWatch
from lineside.agent.link import join_state
from lineside.agent.link.error import LinkError
from lineside.agent.link.https import Link
from lineside.agent.link.mqtt import Mqtt
from lineside.agent.link.outbox import Outbox
from lineside.agent.link.polling import Listener, Poller
from lineside.agent.link.report import Reporter
from lineside.agent.link.uploads import Uploader
from lineside.agent.lock import locked
from lineside.agent.paths import Paths
from lineside.agent.ports import ControlPlane
from lineside.agent.supervision.cgroups import find_corner
from lineside.agent.supervision.orphans import end_orphans
from lineside.agent.supervision.service import Timing
from lineside.agent.supervision.supervise import Supervisor
from lineside.agent.updating.execute import Executor
from lineside.agent.updating.reconcile import Reconciler
from lineside.agent.updating.state import State
from lineside.agent.updating.store import Store
from lineside.contract import topics
from lineside.contract.desired import Desired
from lineside.contract.errors import RemoteError

IDLE_SECONDS = 60.0
"""Seconds between two looks at whether everything still is as it should be, when nothing calls for one."""

_log = logging.getLogger(__name__)


class Agent:
    """One device's agent, wired: `run` until `end` is called."""

    def __init__(
        self, paths: Paths, control: ControlPlane, timing: Timing | None = None, conditions: Conditions | None = None
    ) -> None:
        joined = join_state.load(paths)
        for folder in (paths.inbox, paths.captures):
            folder.mkdir(parents=True, exist_ok=True)
        self.attention = Attention()
        self.again = False  # after `run`: the agent is to start anew
        DEVICE.joined(joined.joined_at)
        self.conditions = conditions or Conditions()
        self.conditions.watch(self._changed)
        self._paths = paths
        self._backoff = Backoff()
        self._disk = DiskWatch(paths.root, self.conditions)
        self._database = Database(paths.database)
        self._state = State(self._database)
        corner = find_corner(paths.root)
        self._supervisor = Supervisor(self._state, self.attention, timing or Timing(), self._changed, corner)
        self._executor = Executor(
            paths, joined, self._state, Store(paths.store), control, self._supervisor, self.attention
        )
        self._reporter = Reporter(
            joined.device, paths.root, self._state, Outbox(self._database), control, self._supervisor, self._changed
        )
        self._reconciler = Reconciler(self._state, self._executor, self._supervisor, self._reporter, self.attention)
        listener = Listener(say=self._reconciler.say, flush=self._reporter.flush, failed=self._failed)
        self._poller = Poller(control, self._state, self.attention, listener)
        self._mqtt = Mqtt(joined, paths, self.conditions)
        self._mqtt.subscribe(topics.hint(joined.device), 1, lambda message: self._poller.hint())
        self._mqtt.watch(self._connected)
        self._uploader = Uploader(paths.captures, control, self.attention.stop)

    def end(self) -> None:
        """Ask the agent to end. Safe in a signal handler and from any thread."""
        self.attention.end()

    def run(self) -> None:
        """Work until `end` is called, then stop every component."""
        orphans = end_orphans(self._paths, self._state)
        if orphans:
            _log.warning("ended %d processes that an earlier agent left behind", orphans)
        self._executor.check_disk()
        self._poller.start()
        self._mqtt.start()
        self._uploader.start()
        try:
            self._update()
        except RestartAsked:
            self.again = True
        except Interrupted:
            _log.info("interrupted; the next start goes on")
        finally:
            self.end()
            self._mqtt.stop()
            self._supervisor.stop_all()
            self._poller.join()
            self._uploader.join()
            self._database.close()

    def _changed(self) -> None:
        """There may be something to report."""
        self._poller.wake.set()

    def _connected(self, up: bool) -> None:
        if up:
            self._poller.hint()  # something may have been said while there was no connection

    def _failed(self, error: BaseException) -> None:
        """The disk refused something: say so; what runs keeps running, and the agent tries again by itself."""
        if not self._disk.met(error):
            _log.error("%s", error, exc_info=error)

    # --- the update thread ----------------------------------------------------------------------------------------

    def _update(self) -> None:
        """One planning round after the other. Raises `Interrupted` at the end."""
        while True:
            try:
                self.attention.begin()
                self.attention.rest(self._round())
            except Superseded:
                _log.info("something newer is wanted")

    def _round(self) -> float:
        """Become what is wanted, as far as possible now; how many seconds to wait until the next look."""
        desired = None
        try:
            desired = self._wanted()
            again = None if desired is None else self._reconciler.round(desired)
        except (LinkError, RemoteError) as error:
            _log.warning("%s", error)
            return self._backoff.after(error, desired.poll_seconds if desired else 0.0)
        except (OSError, sqlite3.Error) as error:
            self._failed(error)
            return self._backoff.after(None, 0.0)
        self._backoff.worked()
        return IDLE_SECONDS if again is None else again

    def _wanted(self) -> Desired | None:
        """What the device should run now."""
        saved = self._state.desired()
        return saved.document if saved else None


def run(paths: Paths) -> None:
    """Run the agent on a joined root until SIGTERM or SIGINT. Raises `agent.not_joined`, `agent.root_in_use`."""
    joined = join_state.load(paths)
    with locked(paths):
        conditions = Conditions()
        control = Link(joined.url, joined.device, paths.key, paths.ca, conditions=conditions)
        agent = Agent(paths, control, conditions=conditions)

        def end(number: int, frame: FrameType | None) -> None:
            agent.end()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        try:
            agent.run()
        finally:
            control.close()
