"""Requests from within the process: somebody hands in an image and waits for its result, which is recorded like any."""

from __future__ import annotations

import time
from itertools import count
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.result import Result
from lineside.runtime.frames import Frame, Intake, SourceHealth, SourceState

ROOM = 16
"""Requests that wait at once; more are refused."""


class AskedSettings(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="api"):
    """Pictures that the local API is asked about: those for this source's model are recorded."""


class AskedSource:
    """Has no thread: whoever asks brings the frame and waits."""

    live = False

    def __init__(self, name: str, *, room: int = ROOM) -> None:
        self.name = name
        self._room, self._free, self._numbers = room, BoundedSemaphore(room), count(1)
        self._intake: Intake | None = None
        self._since, self._frames = time.time(), 0

    def ask(self, data: bytes, name: str = "", seconds: float = 30.0) -> Result:
        """The decision on an image, once it is on disk.

        Raises `runtime.busy` when too many wait, `runtime.no_answer` after so many seconds, `runtime.stopping`, and
        what is wrong with the image.
        """
        intake = self._intake
        if intake is None:
            raise LinesideError("runtime.stopping")
        if not self._free.acquire(blocking=False):
            raise LinesideError("runtime.busy", room=self._room, source=self.name)
        try:
            answers: SimpleQueue[Result | LinesideError] = SimpleQueue()
            number = next(self._numbers)
            called = name or f"{self.name}/{number:06}"
            frame = Frame(self.name, called, data, time.time(), time.monotonic(), reply=answers.put)
            if not intake.offer(frame):
                raise LinesideError("runtime.stopping")
            self._frames += 1
            answer = answers.get(timeout=seconds)
        except Empty:
            raise LinesideError("runtime.no_answer", seconds=seconds) from None
        finally:
            self._free.release()
        if isinstance(answer, LinesideError):
            raise answer
        return answer

    def start(self, intake: Intake) -> None:
        self._intake = intake

    def finished(self, frame: Frame) -> None:
        """Its reply is on its way."""

    def comes_again(self, frame: Frame, error: LinesideError) -> bool:
        return False

    def stop(self) -> None:
        self._intake = None

    def health(self) -> SourceHealth:
        return SourceHealth(state=SourceState.RUNNING, since=self._since, frames=self._frames)
