"""Frames that wait for one model: a bounded queue for each of its sources, taken from in turn.

A live source has room for one frame, and a newer one takes its place. Any other source waits for room: its frames are
files, which can wait where they are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Condition

from lineside.runtime.frames import Frame

ROOM = 4
"""Frames of one source that wait while their model is busy, when every frame counts."""


@dataclass(slots=True)
class _Queue:
    live: bool
    frames: deque[Frame] = field(default_factory=deque)


class Queues:
    """The queues before one model. Any thread puts, one takes."""

    def __init__(self, live: Mapping[str, bool], *, room: int = ROOM) -> None:
        """`live`: of each source, whether only its newest frame matters."""
        self._queues = {name: _Queue(alive) for name, alive in live.items()}
        self._turns = deque(self._queues)
        self._room = room
        self._changed = Condition()
        self._closed = False

    def put(self, frame: Frame) -> tuple[bool, Frame | None]:
        """Whether the frame was taken (not when the queues are closed), and the one whose place it took."""
        queue = self._queues[frame.source]
        with self._changed:
            if queue.live:
                old = queue.frames.popleft() if queue.frames and not self._closed else None
            else:
                old = None
                while len(queue.frames) >= self._room and not self._closed:
                    self._changed.wait()
            if self._closed:
                return False, None
            queue.frames.append(frame)
            self._changed.notify_all()
            return True, old

    def take(self) -> Frame | None:
        """The next frame, source by source in turn; None once the queues are closed."""
        with self._changed:
            while not self._closed:
                for _ in range(len(self._turns)):
                    self._turns.rotate(-1)
                    queue = self._queues[self._turns[-1]]
                    if queue.frames:
                        frame = queue.frames.popleft()
                        self._changed.notify_all()
                        return frame
                self._changed.wait()
            return None

    @property
    def waiting(self) -> bool:
        """Whether a frame waits just now."""
        return any(queue.frames for queue in self._queues.values())

    def close(self) -> list[Frame]:
        """Nothing goes in or out any more; what still waited."""
        with self._changed:
            self._closed = True
            left = [frame for queue in self._queues.values() for frame in queue.frames]
            for queue in self._queues.values():
                queue.frames.clear()
            self._changed.notify_all()
            return left
