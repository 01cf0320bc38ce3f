"""What became of every frame: at any moment, seen = decided + skipped (why) + failed + waiting, for each source."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

import msgspec

SUPERSEDED = "superseded"
"""The reason of a live frame that a newer one took the place of."""


class Counts(msgspec.Struct, kw_only=True):
    """Frames of one source since the process started."""

    seen: int = 0
    decided: int = 0
    late: int = 0  # of the decided ones, those after the deadline
    failed: int = 0  # damaged, or the model could not run on them
    waiting: int = 0  # in the queue, or being decided
    skipped: dict[str, int] = {}  # by reason

    @property
    def skips(self) -> int:
        return sum(self.skipped.values())


class Ledger:
    """Counts frames. From any thread; each step keeps the sum."""

    def __init__(self, sources: Iterable[str]) -> None:
        self._counts = {name: Counts() for name in sources}
        self._lock = Lock()

    def arrived(self, source: str) -> None:
        """A frame waits for its decision now."""
        with self._lock:
            counts = self._counts[source]
            counts.seen += 1
            counts.waiting += 1

    def withdrawn(self, source: str) -> None:
        """A waiting frame is as if it had never come: its source brings it again later."""
        with self._lock:
            counts = self._counts[source]
            counts.seen -= 1
            counts.waiting -= 1

    def decided(self, source: str, *, late: bool = False) -> None:
        with self._lock:
            counts = self._counts[source]
            counts.waiting -= 1
            counts.decided += 1
            counts.late += late

    def failed(self, source: str) -> None:
        with self._lock:
            counts = self._counts[source]
            counts.waiting -= 1
            counts.failed += 1

    def skipped(self, source: str, why: str) -> None:
        """A waiting frame is left out."""
        with self._lock:
            counts = self._counts[source]
            counts.waiting -= 1
            counts.skipped[why] = counts.skipped.get(why, 0) + 1

    def of(self, source: str) -> Counts:
        """A copy of one source's counts, all of one moment."""
        with self._lock:
            counts = self._counts[source]
            return msgspec.structs.replace(counts, skipped=dict(counts.skipped))
