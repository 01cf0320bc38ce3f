"""A video file: every frame counts, or every nth. It is played once; a file with other content is played anew.

How far it was decided is remembered with the results, so that a restart goes on with the frame after: frames are
decided and stored in order, and the last of them stands for all before it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from lineside.contract.errors import LinesideError
from lineside.runtime.delivery import WAITING_AT_MOST
from lineside.runtime.frames import Frame, Intake, SourceState
from lineside.runtime.sources.arrivals import changed_ns
from lineside.runtime.sources.moving import faults, opened, picture_of
from lineside.runtime.sources.threaded import ThreadedSource
from lineside.runtime.spool import InputKey

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer

_LOOK = 0.5  # seconds between looks at a file that is not there, or was played
_REMEMBERED = 2 * WAITING_AT_MOST + 1000  # frames behind the newest: more than ever wait for the disk
_AT_ONCE = 1000  # numbers that are forgotten together


class VideoSettings(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="video"):
    """`file`: the video; a relative path lies beside the inbox."""

    file: str
    every: int = 1  # 3: every third frame, the others count as skipped


class _Recording(NamedTuple):
    """One content of the file."""

    size: int
    mtime_ns: int


class VideoSource(ThreadedSource):
    """Frames of a file, in order, numbered from 0."""

    def __init__(
        self,
        name: str,
        file: Path,
        done: Iterable[InputKey] = (),
        *,
        every: int = 1,
        forget: Callable[[list[InputKey]], None] = lambda keys: None,
    ) -> None:
        """`done`: what was decided before; `forget` drops what later frames stand for. Keys are `NAME/FILE#NUMBER`, and
        `NAME/FILE` once all of it is decided."""
        super().__init__(name, live=False)
        self._file, self._every, self._forget = file, max(1, every), forget
        self._whole = f"{name}/{file.name}"
        mine = [key for key in done if key.name.startswith(self._whole)]
        self._played: dict[_Recording, LinesideError | None] = {
            _Recording(*key[1:]): None for key in mine if key.name == self._whole
        }
        self._frames = {key for key in mine if key.name.startswith(self._whole + "#")}
        self._state = Lock()
        self._playing: _Recording | None = None
        self._finished = self._last = -1  # decided; handed in
        self._forgotten = self._forget_at = 0
        self._at_end: Callable[[], None] | None = None

    def run(self, intake: Intake) -> None:
        self._let_go([key for key in self._frames if _Recording(*key[1:]) in self._played])
        seen: _Recording | None = None
        while not self.stopping.is_set():
            now = self._recording()
            if now is not None and now in self._played:
                error = self._played[now]
                self.become(SourceState.FAILED if error else SourceState.ENDED, error)
            elif now is not None and now == seen:  # not being written any more
                self._played[now] = self._play(intake, now)
                continue
            seen = now
            self.stopping.wait(_LOOK)

    def finished(self, frame: Frame) -> None:
        if frame.key is None:
            return
        with self._state:
            if _Recording(*frame.key[1:]) != self._playing:
                return
            self._finished = _number(frame.key)
            self._settle()
            start, end = self._forgotten, self._finished - _REMEMBERED * self._every
            if end < self._forget_at:
                return
            self._forgotten, self._forget_at = end, end + _AT_ONCE
        if not self._let_go([frame.key._replace(name=f"{self._whole}#{n}") for n in range(start, end)]):
            with self._state:
                self._forgotten = min(start, self._forgotten)

    def _let_go(self, keys: list[InputKey]) -> bool:
        """A disk that is full or slow is no reason to end: they are forgotten with the next ones, or at a restart."""
        try:
            self._forget(keys)
        except (OSError, sqlite3.OperationalError):
            return False
        return True

    def _settle(self) -> None:
        if self._at_end is not None and self._finished >= self._last:
            self._at_end()
            self._at_end = None

    def _recording(self) -> _Recording | None:
        try:
            found = self._file.stat()
        except OSError as error:
            self.become(SourceState.AWAY, LinesideError("source.away", url=self._file, why=error.strerror))
            return None
        return _Recording(found.st_size, changed_ns(found))

    def _play(self, intake: Intake, recording: _Recording) -> LinesideError | None:
        """Brings what was not handed in yet; what is wrong with the file."""
        done = self._begin(recording)
        try:
            with opened(str(self._file)) as container:
                self.become(SourceState.RUNNING)
                began = recording.mtime_ns / 1e9 - (container.duration or 0) / 1e6
                for number, image in enumerate(_decoded(container, intake)):
                    if self.stopping.is_set():
                        return None
                    if number > done and not self._bring(intake, recording, number, image, began):
                        return None
        except LinesideError:
            raise
        except faults() as error:
            return LinesideError("source.no_video", url=self._file, why=error)
        self._end(intake, InputKey(self._whole, *recording))
        return None

    def _begin(self, recording: _Recording) -> int:
        """The last frame that was handed in, before a restart or before a mishap."""
        with self._state:
            if recording != self._playing:
                before = [_number(key) for key in self._frames if _Recording(*key[1:]) == recording]
                self._playing, self._at_end = recording, None
                self._finished = self._last = max(before, default=-1)
                self._forgotten = min(before, default=0)
                self._forget_at = self._forgotten + _AT_ONCE
            return self._last

    def _bring(self, intake: Intake, recording: _Recording, number: int, image: VideoFrame, began: float) -> bool:
        if number % self._every:
            intake.skip("thinned")
            return True
        key = InputKey(f"{self._whole}#{number}", *recording)
        taken_at = began + (image.time or 0.0)
        frame = Frame(self.name, f"{self._file.name}#{number}", picture_of(image), taken_at, time.monotonic(), key=key)
        self.brought()
        if not intake.offer(frame):
            return False
        with self._state:
            self._last = number
        return True

    def _end(self, intake: Intake, whole: InputKey) -> None:
        with self._state:
            self._at_end = lambda: intake.remember(whole)
            self._settle()


def _decoded(container: InputContainer, intake: Intake) -> Iterator[VideoFrame]:
    """All frames of the first video stream; a damaged packet is skipped."""
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except faults():
            intake.skip("damaged")


def _number(key: InputKey) -> int:
    return int(key.name.rpartition("#")[2])
