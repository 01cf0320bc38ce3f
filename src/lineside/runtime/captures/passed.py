"""Seconds that have passed on this device, over restarts, whatever happens to its clock.

Within one boot the kernel counts them, so that neither a restart nor a clock that is set matters. Over a reboot there
is only the wall clock: what it has gained beyond the latest time ever seen counts, so that a clock that starts in 1970,
or goes back and forth, brings no second twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far it was: what the next process goes on from."""

    total: float
    boot: str  # empty where the kernel does not say
    since_boot: float
    latest: float  # seconds since 1970, the highest ever seen


def since_boot() -> float:
    """Seconds since this machine booted, time asleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def boot_id() -> str:
    """Which boot this is; empty where the kernel does not say."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


class Passed:
    """Call it for the seconds since the very first start. It never goes back."""

    def __init__(
        self,
        mark: Mark | None = None,
        *,
        counter: Callable[[], float] = since_boot,
        wall: Callable[[], float] = time.time,
        boot: str | None = None,
    ) -> None:
        self._counter, self._wall = counter, wall
        self._boot = boot_id() if boot is None else boot
        self._began = counter()
        self._before, self._latest = 0.0, wall()
        if mark is not None:
            same = bool(mark.boot) and mark.boot == self._boot
            gained = self._began - mark.since_boot if same else wall() - mark.latest
            self._before = mark.total + max(0.0, gained)
            self._latest = max(self._latest, mark.latest)

    def __call__(self) -> float:
        return self._before + max(0.0, self._counter() - self._began)

    def mark(self) -> Mark:
        """How far it is now."""
        self._latest = max(self._latest, self._wall())
        return Mark(total=self(), boot=self._boot, since_boot=self._counter(), latest=self._latest)
