"""The link thread: asks for the desired document, keeps it on disk, hands reports over. It never updates anything.

What it learns it tells the update thread; neither waits for the other, so a long probe holds up no report and a slow
control plane no update.
"""

from __future__ import annotations

import logging
import math
import random
import sqlite3
import threading
import time
from collections.abc import Callable

from lineside.agent import crash
from lineside.agent.attention import Attention
from lineside.agent.backoff import Backoff, jittered
from lineside.agent.link.error import LinkError
from lineside.agent.ports import ControlPlane
from lineside.agent.supervision.processes import Wake, wait_any
from lineside.agent.updating.installed import document_of
from lineside.agent.updating.state import State
from lineside.contract.desired import Desired
from lineside.contract.errors import RemoteError

_NO_DOCUMENT_YET = 1.0
_DISK_AWAY = 5.0

_log = logging.getLogger(__name__)


_LONGEST_TALK = 900.0  # that one round with a slow control plane may take


def _ignored(_: object) -> None:
    return


class Listener:
    """What the poller asks of the rest of the agent; each a function that returns soon."""

    def __init__(
        self,
        *,
        say: Callable[[Desired], None],
        flush: Callable[[], None],
        failed: Callable[[BaseException], None],
        reached: Callable[[bool], None] = _ignored,
        pulse: Callable[[float], None] = _ignored,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self.say = say  # queue a report if there is something new
        self.flush = flush  # send what waits; raises LinkError, RemoteError
        self.failed = failed  # the disk refused a write
        self.reached = reached  # the control plane answered, or did not
        self.pulse = pulse  # within how many seconds the thread is heard of again
        self.look = look  # look after the device itself


class Poller:
    """One thread that talks to the control plane. `wake` it when there is something to report."""

    def __init__(self, control: ControlPlane, state: State, attention: Attention, listener: Listener) -> None:
        self.wake = Wake()
        self._control = control
        self._state = state
        self._attention = attention
        self._stop = attention.stop
        self._listener = listener
        self._hinted_at: float | None = None  # when to ask because of a hint
        self._lock = threading.Lock()
        self._polls, self._flushes = Backoff(), Backoff()
        self._quiet = True  # no report is sent before the first answer, nor after a poll that failed
        self._flush_at = 0.0
        self._thread = threading.Thread(target=self._work, name="link", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, timeout: float = 5.0) -> None:
        """Wait until the thread has noticed the stop signal; a request under way is not waited for."""
        self._thread.join(timeout)

    def hint(self, spread: float = 0.0) -> None:
        """Ask for the desired document, at a random moment within `spread` seconds; never later than without a hint."""
        at = time.monotonic() + random.uniform(0.0, spread)
        with self._lock:
            self._hinted_at = at if self._hinted_at is None else min(at, self._hinted_at)
        self.wake.set()

    def _work(self) -> None:
        try:
            self._live()
        finally:
            self._attention.end()  # an agent that cannot hear is started anew rather than left deaf

    def _live(self) -> None:
        next_poll = 0.0
        while not self._stop.is_set():
            self.wake.clear()
            self._listener.pulse(_LONGEST_TALK)
            try:
                self._listener.look()
                if time.monotonic() >= min(next_poll, self._hinted()):
                    with self._lock:
                        self._hinted_at = None
                    next_poll = time.monotonic() + self._poll()
                self._report()
                next_poll = min(next_poll, self._hinted())
                due = min(next_poll, self._flush_at) if self._flushes.failures and not self._quiet else next_poll
            except (OSError, sqlite3.Error) as error:
                self._listener.failed(error)
                due = next_poll = time.monotonic() + _DISK_AWAY
            wait = due - time.monotonic()
            self._listener.pulse(max(0.0, wait) + _LONGEST_TALK)
            wait_any((self.wake, self._stop), wait)

    def _hinted(self) -> float:
        """When a hint wants the next question; never, without one."""
        with self._lock:
            return math.inf if self._hinted_at is None else self._hinted_at

    def _poll(self) -> float:
        """Ask for the desired document; how many seconds to wait until the next time."""
        saved = self._state.desired()
        try:
            answer = self._control.desired(saved.etag if saved else None)
        except (LinkError, RemoteError) as error:
            _log.warning("%s", error)
            self._listener.reached(isinstance(error, RemoteError))
            self._quiet = True
            return self._polls.after(error, saved.document.poll_seconds if saved else 0.0)
        self._listener.reached(True)
        if answer is not None and self._state.save_desired(*answer):
            crash.point("desired.saved")
            if saved is None or document_of(saved.document) != document_of(answer[0]):
                self._attention.newer()
        if self._quiet:
            self._quiet = False
            self._attention.nudge()
        self._polls.worked()
        document = answer[0] if answer else saved.document if saved else None
        return jittered(document.poll_seconds if document else _NO_DOCUMENT_YET)

    def _report(self) -> None:
        """Say what is new and send what waits, unless the last try has just failed."""
        saved = self._state.desired()
        if saved is not None:
            self._listener.say(saved.document)
        if self._quiet or time.monotonic() < self._flush_at:
            return
        try:
            self._listener.flush()
            self._flushes.worked()
            self._flush_at = 0.0
        except (LinkError, RemoteError) as error:
            _log.info("reports wait: %s", error.message)
            wait = self._flushes.after(error, saved.document.poll_seconds if saved else 0.0)
            self._flush_at = time.monotonic() + wait
