"""An intake that remembers what a source hands in."""

from __future__ import annotations

from collections import Counter
from threading import Condition

from lineside.contract.errors import LinesideError
from lineside.runtime.frames import Frame
from lineside.runtime.spool import InputKey


class Remembering:
    """Takes every frame, until it is closed; with `room`, waits for `let` once so many were taken."""

    def __init__(self, room: int | None = None) -> None:
        self.frames: list[Frame] = []
        self.refused: list[tuple[Frame, str]] = []
        self.remembered: list[InputKey] = []
        self.skipped: Counter[str] = Counter()
        self._room = room
        self._closed = False
        self._changed = Condition()

    def offer(self, frame: Frame) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._room is None or len(self.frames) < self._room)
            if self._closed:
                return False
            self.frames.append(frame)
            return True

    def refuse(self, frame: Frame, error: LinesideError) -> None:
        self.refused.append((frame, error.code))

    def skip(self, why: str) -> None:
        self.skipped[why] += 1

    def remember(self, key: InputKey) -> None:
        self.remembered.append(key)

    def let(self, more: int) -> None:
        with self._changed:
            self._room = (self._room or 0) + more
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def names(self) -> list[str]:
        return [frame.name for frame in self.frames]
