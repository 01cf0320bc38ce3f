"""What time it is. The device's clock may be wrong by years; the control plane's, heard over pinned TLS, is believed.

The system's clock is never set. While it cannot be right (before this device joined, or far from what the control plane
says), the corrected time goes into reports, into client assertions and into the judging of signed metadata.
"""

from __future__ import annotations

import datetime
import email.utils
import threading
import time
from collections.abc import Callable

TOLERANCE = 300.0
"""Seconds by which the device's clock may differ from the control plane's before it counts as wrong."""
CLOSE = 10.0
"""Seconds within which it is used as it is; the control plane refuses assertions that are a minute off."""


class Clock:
    """One device's idea of the time. `wall` may jump; `ticks` only grows, also while the device sleeps."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        ticks: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._wall = wall
        self._ticks = ticks
        self._lock = threading.Lock()
        self._floor = 0.0  # it was this late already, by the last that could be believed
        self._heard = False
        self._then, self._at = 0.0, ticks()  # it was `_then` when ticks were `_at`

    def time(self) -> float:
        """Seconds since the epoch, by the best knowledge there is."""
        with self._lock:
            wall, expected = self._wall(), self._expected()
            if self._heard:
                return wall if abs(wall - expected) <= CLOSE else expected
            return wall if wall >= self._floor - TOLERANCE else expected

    def stamp(self) -> str:
        """The same as RFC 3339 with milliseconds."""
        return rfc3339(self.time())

    def plausible(self) -> bool:
        """Whether the system's clock can be right."""
        return self.doubt() is None

    def sure(self) -> bool:
        """Whether the control plane has told the time since the agent started."""
        return self._heard

    def difference(self) -> float | None:
        """Seconds by which the system's clock is ahead of the control plane's, if that has told."""
        with self._lock:
            return self._wall() - self._expected() if self._heard else None

    def doubt(self) -> str | None:
        """Why the system's clock cannot be right, or None."""
        with self._lock:
            wall, expected = self._wall(), self._expected()
            if self._heard and abs(wall - expected) > TOLERANCE:
                return f"the control plane says {rfc3339(expected)}"
            if not self._heard and wall < self._floor - TOLERANCE:
                return f"it was {rfc3339(self._floor)} already"
        return None

    def joined(self, at: str) -> None:
        """The device joined at that time: it cannot be earlier now."""
        moment = parse_rfc3339(at)
        if moment is None:
            return
        with self._lock:
            self._begin_at(moment)

    def remembered(self, moment: float) -> None:
        """It was that late before the last restart (`clock_floor`): what was believed then counts, not the joining."""
        with self._lock:
            self._begin_at(moment)

    def signed(self, moment: float) -> None:
        """Somebody who is trusted signed something at that time. What the control plane itself says goes before."""
        with self._lock:
            if not self._heard and moment > max(self._floor, self._expected()):
                self._begin_at(moment)

    def floor(self) -> float:
        """How late it is at least, by everything that could be believed; what the system's clock says is not in it."""
        with self._lock:
            return self._expected() if self._heard else self._floor

    def heard(self, date: str) -> None:
        """The control plane's `Date` header has just arrived, over TLS that checked who it is."""
        try:
            moment = email.utils.parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError, OverflowError):
            return
        with self._lock:
            self._heard = True
            self._then, self._at = moment, self._ticks()

    def _begin_at(self, moment: float) -> None:
        self._floor = moment
        if not self._heard:
            self._then, self._at = moment, self._ticks()

    def _expected(self) -> float:
        return self._then + self._ticks() - self._at


def rfc3339(moment: float) -> str:
    """Seconds since the epoch in UTC, RFC 3339 with milliseconds."""
    text = datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def parse_rfc3339(text: str) -> float | None:
    """Seconds since the epoch, or None for something else."""
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


DEVICE = Clock()
"""This device's clock."""


def now() -> str:
    """The time in UTC, RFC 3339 with milliseconds, corrected where the system's clock is wrong."""
    return DEVICE.stamp()
