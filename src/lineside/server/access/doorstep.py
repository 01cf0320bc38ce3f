"""The doorstep: how often an address may knock, and how often it is written down that it did.

A device that tries a join token which is none, or asks to be accepted without one, is turned away after so many tries.
Of other refusals only so many are written down, else a stranger could fill the disk with them. Counted in memory: a
restart forgets it, and costs a guesser of 192 random bits nothing that would help.
"""

from __future__ import annotations

import math
import threading
from collections import deque

from lineside.contract.errors import LinesideError
from lineside.server.access.throttle import neighbourhood
from lineside.server.clock import Clock

TRIES, SECONDS = 20, 60.0
"""How many tries an address has within how many seconds."""
_ADDRESSES = 10_000


class Doorstep:
    """Counts by address; safe in any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tries: dict[str, deque[float]] = {}

    def look(self, source: str) -> None:
        """Raises `join.throttled` when this address has used its tries up."""
        now = self._clock.now().timestamp()
        with self._lock:
            tries = self._recent(source, now)
            if len(tries) >= TRIES:
                raise LinesideError("join.throttled", source=source, seconds=math.ceil(tries[0] + SECONDS - now))

    def passes(self, source: str) -> bool:
        """Count a try, unless this address has used its tries up: whether it had not."""
        try:
            self.look(source)
        except LinesideError:
            return False
        self.count(source)
        return True

    def count(self, source: str) -> None:
        """One try more. When too many addresses try, the one that began first is forgotten."""
        now = self._clock.now().timestamp()
        with self._lock:
            self._recent(source, now).append(now)
            while len(self._tries) > _ADDRESSES:
                del self._tries[next(iter(self._tries))]

    def _recent(self, source: str, now: float) -> deque[float]:
        tries = self._tries.setdefault(neighbourhood(source), deque(maxlen=TRIES))
        while tries and tries[0] <= now - SECONDS:
            tries.popleft()
        return tries
