"""When to try again: sooner at first, later with each failure, never all devices at once."""

from __future__ import annotations

import random

from lineside.agent.link.error import LinkError
from lineside.contract.errors import LinesideError

MAX_BACKOFF = 30.0
"""Seconds between two tries to reach a control plane that is away, at most; or the poll interval, if longer."""


class Backoff:
    """How often in a row it failed, and how long to wait for the next try."""

    def __init__(self) -> None:
        self.failures = 0

    def worked(self) -> None:
        """It worked: forget the failures."""
        self.failures = 0

    def after(self, error: LinesideError | None, poll_seconds: float) -> float:
        """Seconds to wait after a failure; what the control plane asked for (Retry-After) comes first."""
        self.failures += 1
        if isinstance(error, LinkError) and error.retry_after is not None:
            return jittered(error.retry_after, 1.0, 1.2)
        limit = max(MAX_BACKOFF, poll_seconds)
        return jittered(min(limit, 0.5 * 2.0 ** min(self.failures, 16)), 0.5, 1.0)


def jittered(seconds: float, low: float = 0.7, high: float = 0.9) -> float:
    """So that a fleet switched on together does not ask together; an interval is the longest a device waits."""
    return max(0.05, seconds * random.uniform(low, high))
