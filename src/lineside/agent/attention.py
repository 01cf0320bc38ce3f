"""What the update thread hears while it works: that the agent is to end, that something else is wanted, a change.

    Interrupted  the agent ends; the next start goes on from what is on disk
    Superseded   a newer document is wanted; the next planning round goes on from where this one was broken off

Any thread may call `newer`, `nudge`, `changed` and `end`; only the update thread waits. Every wait of a step goes
through `wait`, or waits for `off` beside what it waits for and calls `check` afterwards.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lineside.agent.supervision.processes import StopSignal, Wake, wait_any

LONGEST_STEP = 1800.0
"""Seconds that the update thread may be busy without a word before it counts as hanging: unpacking, hashing."""


def _unheard(seconds: float) -> None:
    return


class Interrupted(Exception):
    """The agent is to end; what was under way goes on at the next start."""


class RestartAsked(Interrupted):
    """The agent is to end and to start anew at once: a Bootstrap step asked for it."""


class Superseded(Exception):
    """Something else is wanted now; what was under way is planned anew."""


class Attention:
    """One update thread's ear."""

    def __init__(self) -> None:
        self.stop = StopSignal()  # the agent is to end; stays set
        self.off = Wake()  # this round is to be broken off, for either reason
        self._wake = Wake()
        self._lock = threading.RLock()  # a signal handler may call `end` while this thread holds it
        self._newer = False
        self._nudged = False
        self._abort: Callable[[], None] | None = None
        self.pulse: Callable[[float], None] = _unheard  # told within how many seconds this thread is heard of again

    # --- any thread -----------------------------------------------------------------------------------------------

    def newer(self) -> None:
        """Something else is wanted: break the round off, wherever it is."""
        with self._lock:
            self._newer = True
            self._break_off()

    def end(self) -> None:
        """The agent is to end. Safe in a signal handler."""
        with self._lock:
            self.stop.set()
            self._break_off()

    def nudge(self) -> None:
        """Try again now what was put off, such as a download; a round under way is left alone."""
        self._nudged = True
        self._wake.set()

    def changed(self) -> None:
        """A component changed its state."""
        self._wake.set()

    def _break_off(self) -> None:
        self.off.set()
        self._wake.set()
        if self._abort is not None:
            self._abort()

    # --- the update thread ----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A round begins: what is wanted is read after this. Raises `Interrupted`."""
        with self._lock:
            self._newer = self._nudged = False
            if not self.stop.is_set():
                self.off.clear()
        self.check()

    def check(self) -> None:
        """Raises `Interrupted` or `Superseded` when this round is to be broken off."""
        self.pulse(LONGEST_STEP)
        if self.stop.is_set():
            raise Interrupted
        if self._newer:
            raise Superseded

    def clear(self) -> None:
        """Forget changes; look at how things stand after this, then `wait`."""
        self._wake.clear()

    def wait(self, seconds: float) -> None:
        """Wait for a change, at most `seconds`. Raises what `check` raises."""
        self.check()
        self.pulse(seconds + LONGEST_STEP)
        wait_any((self._wake, self.off), seconds)
        self.check()

    def rest(self, seconds: float) -> None:
        """Wait for a nudge, at most `seconds`, whatever changes. Raises what `check` raises."""
        until = time.monotonic() + seconds
        while not self._nudged and (left := until - time.monotonic()) > 0:
            self.clear()
            if not self._nudged:
                self.wait(left)

    @contextmanager
    def aborting(self, abort: Callable[[], None]) -> Iterator[None]:
        """While inside, breaking off also calls `abort`, which must make a blocked read return."""
        with self._lock:
            self._abort = abort
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._abort = None
