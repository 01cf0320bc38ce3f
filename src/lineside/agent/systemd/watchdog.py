"""The watchdog: the service manager hears from the agent only while every thread that matters keeps its promise.

A thread promises when it will be heard of next (`Pulse.beat`). A promise that is overdue means that it hangs; then the
manager hears nothing more, and restarts the agent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from lineside.agent.systemd.notify import Notifier


class Pulse:
    """The promises of the agent's threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due: dict[str, float] = {}
        self._lock = threading.Lock()
        self._others: list[Callable[[], list[str]]] = []

    def also(self, late: Callable[[], list[str]]) -> None:
        """Who has not kept its promise elsewhere is asked here."""
        self._others.append(late)

    def beat(self, name: str, within: float) -> None:
        """The thread `name` lives, and will be heard of again within so many seconds."""
        with self._lock:
            self._due[name] = self._clock() + within

    def end(self, name: str) -> None:
        """The thread `name` has ended and promises nothing more."""
        with self._lock:
            self._due.pop(name, None)

    def overdue(self) -> list[str]:
        """Who has not kept its promise, by name."""
        now = self._clock()
        with self._lock:
            late = [name for name, due in self._due.items() if due < now]
        return sorted([*late, *(name for other in self._others for name in other())])


class Watchdog:
    """A thread that passes the pulse on, when the service manager asks for it."""

    def __init__(self, notifier: Notifier, pulse: Pulse) -> None:
        self._notifier = notifier
        self._pulse = pulse
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, unless nobody asks."""
        seconds = self._notifier.watchdog_seconds
        if self._notifier.listening and seconds is not None:
            self._thread = threading.Thread(target=self._live, args=(seconds / 2,), name="watchdog", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _live(self, interval: float) -> None:
        while True:
            late = self._pulse.overdue()
            if late:
                self._notifier.status(f"hangs: {', '.join(late)}")
            else:
                self._notifier.alive()
            if self._ended.wait(interval):
                return
