"""How often a component failed: when it is BROKEN, how long to wait before the next start, whether it goes in circles.

Greengrass V2: three errors in a row make a component BROKEN, and an hour without one forgets them. Outside a trial
it is started again all the same, later and later up to `backoff_cap` seconds: a device in a factory goes on trying.
Five starts in ten minutes are called a crash loop.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from lineside.contract.errors import LinesideError

LOOP_STARTS = 5
LOOP_MINUTES = 10


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How patient the supervisor is; seconds."""

    probe_interval: float = 1.0  # between two probes of a component that is not ready yet
    probe_every: float = 60.0  # between two probes of one that is
    memory_every: float = 10.0  # between two looks at whether the kernel has ended a process for want of memory
    backoff: float = 0.5  # before the second start; doubles with each failure
    backoff_cap: float = 60.0
    errors: int = 3  # in a row, until a component is BROKEN
    calm: float = 3600.0  # this long without an error forgets earlier ones


class Failures:
    """One component's, counted by its own thread."""

    def __init__(self, timing: Timing, now: Callable[[], float] = time.monotonic) -> None:
        self.in_a_row = 0
        self._timing = timing
        self._now = now
        self._last = float("-inf")
        self._starts: deque[float] = deque(maxlen=64)

    def started(self) -> None:
        """It is started now."""
        self._starts.append(self._now())

    def add(self) -> bool:
        """It failed now; whether that makes it BROKEN."""
        now = self._now()
        if now - self._last > self._timing.calm:
            self.in_a_row = 0
        self._last = now
        self.in_a_row += 1
        return self.in_a_row >= self._timing.errors

    def forget(self) -> None:
        """A person has asked for a fresh start."""
        self.in_a_row = 0
        self._starts.clear()

    def delay(self) -> float:
        """Seconds to wait before the next start."""
        return float(min(self._timing.backoff * 2.0 ** min(max(self.in_a_row - 1, 0), 16), self._timing.backoff_cap))

    def explain(self, name: str, why: str, log: Path) -> LinesideError:
        """The error of a component whose process ended, as `why` tells."""
        recent = sum(1 for at in self._starts if self._now() - at <= LOOP_MINUTES * 60)
        if recent >= LOOP_STARTS:
            return LinesideError(
                "component.crash_loop", name=name, starts=recent, minutes=LOOP_MINUTES, why=why, log=log
            )
        times = f"{self.in_a_row + 1} times in a row, the last time" if self.in_a_row else "once,"
        return LinesideError("component.broken", name=name, times=times, why=why, log=log)
