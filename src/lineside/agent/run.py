"""`lineside agent run`: the process that keeps one device at its desired document until it is told to end.

Two threads: the link thread asks for the desired document and hands reports over (`link.polling`); the update thread,
which is the process's main thread, plans and carries out. A newer document breaks off whatever the update thread does.
"""

from __future__ import annotations

import logging
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from types import FrameType

from lineside.agent.attention import Attention, Interrupted, RestartAsked, Superseded
from lineside.agent.backoff import Backoff
from lineside.agent.bus.bus import Bus
from lineside.agent.clock import DEVICE
from lineside.agent.clock_floor import ClockFloor
from lineside.agent.database import Damaged, Database
from lineside.agent.health.conditions import Conditions
from lineside.agent.health.disk import DiskWatch, disk_problem
from lineside.agent.health.watch import Watch
from lineside.agent.host import AgentHost
from lineside.agent.keys.opening import open_keys
from lineside.agent.link.answers import DeviceSources
from lineside.agent.link.collecting import Collecting
from lineside.agent.link.error import LinkError
from lineside.agent.link.exports import Exports
from lineside.agent.link.hints import spread
from lineside.agent.link.https import Link
from lineside.agent.link.inquiries import Inquiries
from lineside.agent.link.instance import Instance
from lineside.agent.link.join_state import JoinState
from lineside.agent.link.mqtt import Mqtt
from lineside.agent.link.outbox import Outbox
from lineside.agent.link.polling import Listener, Poller
from lineside.agent.link.renewal import renewals
from lineside.agent.link.report import Reporter
from lineside.agent.link.results import ResultsTaken
from lineside.agent.link.secrets import SecretsLink
from lineside.agent.link.upload_budget import RuledBudget
from lineside.agent.link.uploads import Captures, Uploader
from lineside.agent.loader.control import SelfUpdate
from lineside.agent.local.alone import Alone, identity, is_alone
from lineside.agent.local.deployments import LocalDeployments
from lineside.agent.local.records import Records
from lineside.agent.local.sources import Sources
from lineside.agent.local.spool import WAKE
from lineside.agent.lock import locked
from lineside.agent.paths import Paths
from lineside.agent.platforms import this_platform
from lineside.agent.ports import ControlPlane
from lineside.agent.secrets import Secrets
from lineside.agent.supervision.orphans import end_orphans
from lineside.agent.supervision.service import Timing
from lineside.agent.supervision.supervise import Supervisor
from lineside.agent.supervision.walls import whole
from lineside.agent.supervision.walls.cgroups import find_corner
from lineside.agent.systemd.notify import Notifier
from lineside.agent.systemd.watchdog import Pulse, Watchdog
from lineside.agent.trials import start_trials
from lineside.agent.updating.execute import Executor
from lineside.agent.updating.freshness import Freshness
from lineside.agent.updating.installed import document_of
from lineside.agent.updating.reconcile import Reconciler
from lineside.agent.updating.state import State
from lineside.agent.updating.store import Store
from lineside.agent.updating.trust import Trust
from lineside.contract import topics
from lineside.contract.desired import Desired
from lineside.contract.errors import RemoteError
from lineside.contract.inquiry import CheckResult
from lineside.contract.recipes.builtin import NUCLEUS, STREAM_MANAGER
from lineside.contract.shapes import learn_shapes

DISK_SECONDS = 5.0
"""Seconds between two tries to open the state on a disk that takes nothing."""
IDLE_SECONDS = 60.0
"""Seconds between two looks at whether everything still is as it should be, when nothing calls for one."""

_log = logging.getLogger(__name__)


class Agent:
    """One device's agent, wired: `run` until `end` is called."""

    def __init__(
        self, paths: Paths, control: ControlPlane, timing: Timing | None = None, conditions: Conditions | None = None
    ) -> None:
        joined = identity(paths)
        for folder in (paths.inbox, paths.captures):
            folder.mkdir(parents=True, exist_ok=True)
        self.attention = Attention()
        self.again = False  # after `run`: the agent is to start anew
        self._answered = False  # the control plane, when it was asked last
        floor = ClockFloor(paths.clock, joined.joined_at, DEVICE)
        self.conditions = conditions or Conditions()
        self._paths = paths
        self._backoff = Backoff()
        self._disk = DiskWatch(paths.root, self.conditions)
        self._database = Database(paths.database, mend=True)
        self._unchecked = threading.Event()  # what is on disk has not been compared with what is remembered
        self._unchecked.set()
        self._watch = Watch(paths, self._database, self.conditions, self._disk, floor=floor)
        self._state = State(self._database)
        self._wire_updating(joined, control, timing or Timing())
        self._wire_link(joined, control)
        self._freshness = self._wire_freshness(joined, control)

    def _wire_freshness(self, joined: JoinState, control: ControlPlane) -> Freshness:
        """What notices that signed metadata has expired while nothing new is wanted."""
        trust = Trust(control, self._paths, self.attention, twin=joined.twin)

        def refresh() -> float:
            try:
                return trust.refresh()
            finally:
                trust.close()

        signed = refresh if self._paths.trusted_root.exists() else None
        freshness = Freshness(signed, self._database, self.conditions, DEVICE, lambda: self._answered)
        self._executor.refreshed = freshness.refreshed
        return freshness

    def _wire_updating(self, joined: JoinState, control: ControlPlane, timing: Timing) -> None:
        """What the update thread works with."""
        paths = self._paths
        corner = find_corner(paths.root)
        self._supervisor = Supervisor(self._state, self.attention, timing, self._changed, corner)
        self._sources = Sources(control)
        store, records = Store(paths.store), Records(self._database)
        self._local = LocalDeployments(
            paths, joined, self._state, store, records, self._sources, self.attention, this_platform()
        )
        self._self = SelfUpdate(paths)
        self._executor = Executor(
            paths,
            joined,
            self._state,
            store,
            self._sources,
            self._supervisor,
            self.attention,
            local=self._local.recipes,
            self_update=self._self,
        )
        self._reporter = Reporter(
            joined.device,
            paths.root,
            self._state,
            Outbox(self._database, self._disk.met),
            control,
            self._supervisor,
            self._changed,
            self.conditions,
        )
        self._reconciler = Reconciler(
            self._state, self._executor, self._supervisor, self._reporter, self.attention, self._local.unmet
        )

    def _wire_link(self, joined: JoinState, control: ControlPlane) -> None:
        """What talks: to the control plane, its broker, the components and the service manager."""
        paths = self._paths
        listener = Listener(
            say=lambda desired: self._reconciler.say(self._local.instead_of(desired)),
            flush=self._reporter.flush,
            failed=self._failed,
            reached=self._reached,
            look=self._look,
            pulse=lambda seconds: self._pulse.beat("link", seconds),
        )
        trials = (lambda: start_trials(paths, self._supervisor)) if joined.twin else None
        answers = DeviceSources(paths, joined.device, self._checks, trials)
        self._inquiries = Inquiries(joined.device, control, answers, self.attention.stop)
        self._poller = Poller(control, self._state, self.attention, listener)
        self.conditions.watch(self._changed)
        self._mqtt = Mqtt(joined, paths, self.conditions)
        self._mqtt.subscribe(topics.hint(joined.device), 1, lambda message: self._poller.hint(spread(message.payload)))
        self._mqtt.watch(self._connected)
        self._renewals = (
            renewals(paths, open_keys(paths), joined.device, control, self.conditions, self._mqtt.renewed)
            if isinstance(control, Link)
            else []
        )
        secrets = Secrets(paths.secrets, open_keys(paths), paths.captures)
        self._given = SecretsLink(control, secrets)
        host = AgentHost(
            paths, self._state, self._supervisor, self._executor, self._local, self._reporter.measured, secrets
        )
        self._bus = Bus(paths, host, self._mqtt, joined.device, self.conditions)
        self._executor.attach(self._bus)
        self._notifier, self._pulse = Notifier(), Pulse()
        self._pulse.also(lambda: [f"{name} ({what})" for name, what in self._supervisor.stuck().items()])
        self._watchdog = Watchdog(self._notifier, self._pulse)
        self.attention.pulse = lambda seconds: self._pulse.beat("update", seconds)
        exports = Exports(paths.work(STREAM_MANAGER) / "exports", joined.device, control, self.attention.stop)
        budget = RuledBudget(lambda: host.configuration(NUCLEUS), paths.uploads, DEVICE)
        captures = Captures(
            paths.captures, control, self.attention.stop, budget, open_keys(paths).open, conditions=self.conditions
        )
        self._uploader = Uploader(captures, self.attention.stop, exports.send)
        self._collecting = Collecting(paths.all_work, control)
        self._results_taken = ResultsTaken(paths.results_taken, control)

    def end(self) -> None:
        """Ask the agent to end. Safe in a signal handler and from any thread."""
        self.attention.end()

    def look(self) -> None:
        """Something was handed over for a local deployment. Safe in a signal handler."""
        self._local.look()

    def run(self) -> None:
        """Work until `end` is called, then stop every component."""
        orphans = end_orphans(self._paths, self._state)
        if orphans:
            _log.warning("ended %d processes that an earlier agent left behind", orphans)
        self._check_state()
        learn_shapes()
        self._local.begin()
        self._self.opened()
        self._notifier.ready("started")
        self._watchdog.start()
        self._poller.start()
        self._mqtt.start()
        self._uploader.start()
        try:
            self._bus.start()
            self._update()
        except RestartAsked:
            self.again = True
        except Interrupted:
            _log.info("interrupted; the next start goes on")
        finally:
            self.end()
            self._notifier.stopping()
            self._watchdog.stop()
            self._supervisor.stop_all()  # what they say last still goes over the bus, and to the broker
            self._bus.stop()
            self._mqtt.stop()
            self._poller.join()
            self._uploader.join()
            self._inquiries.join()
            self._sources.close()
            self._database.close()

    def _changed(self) -> None:
        """There may be something to report."""
        self._poller.wake.set()

    def _connected(self, up: bool) -> None:
        if up:
            self._poller.hint()  # something may have been said while there was no connection

    def _look(self) -> None:
        """Look after the device itself."""
        self._watch.look()
        for one in self._renewals:
            one.look()

    def _reached(self, answered: bool) -> None:
        """The control plane answered a poll, or did not."""
        self._answered = answered
        self._self.reached(answered)
        if answered:
            self._results_taken.look()
            self._given.look()
            self._inquiries.look()
            self._collecting.look()

    def _checks(self) -> Iterator[CheckResult]:
        """What a diagnosis looks at; imported when somebody asks."""
        from lineside.agent.health.checks import diagnose
        from lineside.agent.health.checks.subject import Subject

        return diagnose(Subject(self._paths, identity(self._paths)))

    def _failed(self, error: BaseException) -> None:
        """The disk refused something: say so; what runs keeps running, and the agent tries again by itself."""
        if self._database.mend(error):
            self._say_mended()
        elif not self._disk.met(error):
            _log.error("%s", error, exc_info=error)

    def _check_state(self) -> None:
        """A state that cannot be read is replaced by its copy before anything relies on it."""
        try:
            self._state.check()
        except Damaged as error:
            self._database.mend(error)
        if self._database.mended is not None:
            self._say_mended()

    def _say_mended(self) -> None:
        if self._database.mended is not None:
            self.conditions.put(self._database.mended)
        self._unchecked.set()
        self.attention.nudge()

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
            if self._unchecked.is_set():
                self._executor.check_disk()
                self._unchecked.clear()
            desired = self._wanted()
            again = None if desired is None else self._reconciler.round(desired)
            self._freshness.look(None if desired is None else self._reconciler.refusal(document_of(desired)))
        except (LinkError, RemoteError) as error:
            _log.warning("%s", error)
            if self._local.stranded():
                self.attention.nudge()
            return self._backoff.after(error, desired.poll_seconds if desired else 0.0)
        except (OSError, sqlite3.Error) as error:
            self._failed(error)
            return self._backoff.after(None, 0.0)
        self._became(desired)
        self._backoff.worked()
        self._notifier.status(f"at revision {desired.revision}" if desired is not None else "wants nothing yet")
        return IDLE_SECONDS if again is None else again

    def _wanted(self) -> Desired | None:
        """What the device should run now: the control plane's document, and on top of it what was deployed here."""
        saved = self._state.desired()
        return self._local.wanted(saved.document if saved else None)

    def _became(self, desired: Desired | None) -> None:
        """A round has ended; if a local deployment has ended with it, the next one begins at once."""
        if desired is not None and self._local.ended(self._reconciler.refusal):
            self.attention.nudge()


def run(paths: Paths) -> None:
    """Run the agent on a root until SIGTERM or SIGINT, or until it starts anew. Raises `agent.…`."""
    joined = identity(paths)
    with locked(paths):
        held = whole.begin(paths.root) if joined.twin else ""
        if held:
            _log.info("a twin, held by: %s", held)
        conditions = Conditions()
        control = Alone(joined.device) if is_alone(joined) else _link(joined, paths, conditions)
        agent = _built(paths, control, conditions)
        _log.info("%s runs; lineside agent status --root %s says what; Ctrl-C ends it", joined.device, paths.root)

        def end(number: int, frame: FrameType | None) -> None:
            agent.end()

        def look(number: int, frame: FrameType | None) -> None:
            agent.look()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        signal.signal(WAKE, look)
        try:
            agent.run()
        finally:
            control.close()
    if agent.again:
        SelfUpdate(paths).make_way(["--root", str(paths.root)])


def _built(paths: Paths, control: ControlPlane, conditions: Conditions) -> Agent:
    """The agent, as soon as the disk lets its state be opened."""
    while True:
        try:
            return Agent(paths, control, conditions=conditions)
        except (OSError, sqlite3.Error) as error:
            problem = disk_problem(error, paths.root)
            if problem is None:
                raise
            _log.error("%s; trying again in %g s", problem, DISK_SECONDS)
            time.sleep(DISK_SECONDS)


def _link(joined: JoinState, paths: Paths, conditions: Conditions) -> Link:
    instance = Instance(paths.instance)
    return Link(joined.url, joined.device, open_keys(paths), paths.ca, conditions=conditions, instance=instance)
