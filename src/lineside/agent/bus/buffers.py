"""What waits to be written to one component: answers always arrive, events up to a cap, then the oldest are dropped.

A component that does not read cannot use up the agent's memory, and one that reads slowly keeps its newest events.
"""

from __future__ import annotations

from collections import deque

EVENTS_CAP = 4 << 20
"""Bytes of events that may wait for one connection."""
EVENTS_CAP_WHEN_FULL = 64 << 10
"""The same while all connections together hold more than half of `TOTAL_CAP`."""
TOTAL_CAP = 64 << 20
"""Bytes that may wait in all connections together, in both directions."""
ANSWERS_CAP = 1 << 20
"""Bytes of answers that may wait before nothing more is read from a connection."""
CHUNK = 256 << 10


class Budget:
    """Bytes that all connections together hold."""

    def __init__(self) -> None:
        self.used = 0

    @property
    def events_cap(self) -> int:
        """How many bytes of events one connection may hold now."""
        return EVENTS_CAP if self.used < TOTAL_CAP // 2 else EVENTS_CAP_WHEN_FULL


class Outgoing:
    """Frames on their way to one connection. Answers go before events, so no event comes before its answer."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._answers: deque[bytes] = deque()
        self._events: deque[tuple[int, bytes]] = deque()
        self._chunk = memoryview(b"")
        self.answer_bytes = 0
        self.event_bytes = 0
        self.dropped = 0

    def __bool__(self) -> bool:
        return bool(self._chunk or self._answers or self._events)

    def answer(self, frame: bytes) -> None:
        """Put in what may not be lost."""
        self._answers.append(frame)
        self.answer_bytes += len(frame)
        self._budget.used += len(frame)

    def event(self, stream: int, frame: bytes) -> None:
        """Put in an event; older ones make room for it."""
        cap = self._budget.events_cap
        while self._events and self.event_bytes + len(frame) > cap:
            self._forget(self._events.popleft()[1])
            self.dropped += 1
        self._events.append((stream, frame))
        self.event_bytes += len(frame)
        self._budget.used += len(frame)

    def end_stream(self, stream: int) -> None:
        """Forget the events of a stream that is closed."""
        if not any(owner == stream for owner, _ in self._events):
            return
        kept: deque[tuple[int, bytes]] = deque()
        for owner, frame in self._events:
            if owner == stream:
                self._forget(frame)
            else:
                kept.append((owner, frame))
        self._events = kept

    def chunk(self) -> memoryview:
        """Bytes to write now: many frames in one go, the rest of an earlier chunk first."""
        if not self._chunk:
            frames: list[bytes] = []
            size = 0
            while size < CHUNK and (self._answers or self._events):
                if self._answers:
                    frame = self._answers.popleft()
                    self.answer_bytes -= len(frame)
                else:
                    frame = self._events.popleft()[1]
                    self.event_bytes -= len(frame)
                frames.append(frame)
                size += len(frame)
            self._chunk = memoryview(b"".join(frames))
        return self._chunk

    def written(self, count: int) -> None:
        """So many bytes of the chunk have gone."""
        self._chunk = self._chunk[count:]
        self._budget.used -= count

    def close(self) -> None:
        """Give back what it held."""
        self._budget.used -= len(self._chunk) + self.answer_bytes + self.event_bytes
        self._answers.clear()
        self._events.clear()
        self._chunk = memoryview(b"")
        self.answer_bytes = self.event_bytes = 0

    def _forget(self, frame: bytes) -> None:
        self.event_bytes -= len(frame)
        self._budget.used -= len(frame)
