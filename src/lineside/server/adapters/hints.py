"""What a hint says: within how many seconds devices that were hinted together ask, so that ten thousand do not at once.

`{"spread":33.3}`, or `{}`: at once. An agent that does not know the word asks at once.
"""

from __future__ import annotations

import threading
import time

import msgspec

from lineside.contract.hint import Hint

ASKING = 300.0
"""Devices that ask within a second after hints to many, about."""
_AT_ONCE = 30  # devices whose questions are no burst


class Spreading:
    """Remembers what was hinted before: hints to many that follow each other share the time. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0  # by the monotonic clock: when all that were hinted have asked

    def payload(self, devices: int) -> bytes:
        """The payload of a hint that goes to so many devices now."""
        if devices <= _AT_ONCE:
            return msgspec.json.encode(Hint())
        with self._lock:
            now = time.monotonic()
            self._until = max(now, self._until) + devices / ASKING
            return msgspec.json.encode(Hint(round(self._until - now, 1)))
