"""Images of a folder as they arrive. Every one counts; what is done is remembered over restarts.

The system says when a file was closed or moved in (inotify): it is read at once. Beside that the folder is looked at
every few seconds, which is all there is on network disks and other systems: a file is then read when two looks find it
the same.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock

import msgspec

from lineside.contract.errors import LinesideError
from lineside.runtime.decode import SNIFF_BYTES, format_of
from lineside.runtime.frames import Frame, Intake, SourceState
from lineside.runtime.models.memory import MB, memory
from lineside.runtime.sources.arrivals import Arrival, Arrivals
from lineside.runtime.sources.inotify import Watch
from lineside.runtime.sources.threaded import ThreadedSource
from lineside.runtime.spool import InputKey

MAX_FILE_BYTES = 256 * 1024 * 1024
TRIES = 6
"""How often an image is tried again for which there was no memory, or that may not be read: another model may be
loading, a writer may yet give it away. Over five minutes."""

_SMALL = 16 * MB  # bytes of a file for which nobody asks how much memory is free: several wait to be decided
_PASSES = frozenset({"image.no_memory", "image.file_no_memory", "image.missing"})
_LOOK_BESIDE = 2.0  # seconds between looks at a folder that the system watches
_LOOK_AWAY = 0.5
_FORGET_EVERY = 600.0  # seconds between clean-ups of the memory of files that are gone
_FORGET_OVER = 5_000  # files more than after the last clean-up that make another one due
_COST = 4  # a look may take a share of 1 / (1 + this) of the time


class FolderSettings(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="folder"):
    """`folder`: where images arrive. "inbox" is the agent's inbox; another relative path lies beside the inbox."""

    folder: str = "inbox"
    interval: float = 0.1  # seconds between two looks, where the system does not say what arrives


def check_size(size: int) -> None:
    """Raises `image.file_too_large`, and `image.file_no_memory` for one that is more than half of what is free."""
    if size > MAX_FILE_BYTES:
        raise LinesideError("image.file_too_large", size=size, limit=MAX_FILE_BYTES)
    if size > _SMALL and size > (free := memory().free // 2):
        raise LinesideError("image.file_no_memory", size=size, free=free // MB)


class FolderSource(ThreadedSource):
    """Files of one folder, oldest first."""

    def __init__(
        self,
        name: str,
        folder: Path,
        done: Iterable[InputKey] = (),
        *,
        prefix: str = "",
        interval: float = 0.1,
        forget: Callable[[set[InputKey]], None] = lambda keys: None,
        watched: bool = True,
    ) -> None:
        """`done`: what was decided before; `forget` drops what is remembered of files that are gone."""
        super().__init__(name, live=False)
        self._arrivals = Arrivals(folder, done, prefix=prefix)
        self._prefix, self._interval, self._forget, self._watched = prefix, interval, forget, watched
        self._gone: set[InputKey] = set()  # to be forgotten
        self._watch: Watch | None = None
        self._watch_lock = Lock()

    def run(self, intake: Intake) -> None:
        forget_at, forget_over = 0.0, _FORGET_OVER
        try:
            while not self.stopping.is_set():
                if not self._is_there():
                    self.stopping.wait(_LOOK_AWAY)
                    continue
                started = time.monotonic()
                arrivals = self._arrivals.look()
                cost = _COST * (time.monotonic() - started)
                self._hand_in(intake, arrivals)
                if time.monotonic() >= forget_at or self._arrivals.remembered >= forget_over:
                    self.let_go()
                    forget_at = time.monotonic() + _FORGET_EVERY
                    forget_over = self._arrivals.remembered + _FORGET_OVER
                if not arrivals:
                    self._listen(intake, max(self._pause(), cost))
        finally:
            self._unwatch()

    def let_go(self) -> None:
        """Forgets files that are gone. A disk that is full is no reason to end: the next time, then."""
        self._gone |= self._arrivals.gone()
        if self._gone:
            with suppress(OSError, sqlite3.OperationalError):
                self._forget(self._gone)
                self._gone = set()

    def finished(self, frame: Frame) -> None:
        if frame.key is not None:
            self._arrivals.finish(frame.key)

    def comes_again(self, frame: Frame, error: LinesideError) -> bool:
        if frame.key is None:
            return False
        may_pass = error.code in _PASSES and self._arrivals.postponed(frame.key) < TRIES
        if not (may_pass or self._arrivals.may_be_unfinished(frame.key)):
            return False
        self._arrivals.postpone(frame.key)
        return True

    def wake(self) -> None:
        with self._watch_lock:
            if self._watch is not None:
                self._watch.wake()

    def _is_there(self) -> bool:
        error = self._arrivals.unreadable()
        if error is not None:
            self._unwatch()
            self.become(SourceState.AWAY, error)
            return False
        if self._watch is None and self._watched:
            try:
                watch = Watch(self._arrivals.folder)
            except OSError:
                self._watched = False  # none to be had: looking will do
            else:
                with self._watch_lock:
                    self._watch = watch
        self.become(SourceState.RUNNING)
        return True

    def _unwatch(self) -> None:
        with self._watch_lock:
            if self._watch is not None:
                self._watch.close()
                self._watch = None

    def _pause(self) -> float:
        return self._interval if self._watch is None or self._arrivals.pending else _LOOK_BESIDE

    def _listen(self, intake: Intake, seconds: float) -> None:
        """Hands in what the system notices, for so long."""
        end = time.monotonic() + seconds
        if self._watch is None:
            self.stopping.wait(seconds)
            return
        while not self.stopping.is_set() and (left := end - time.monotonic()) > 0:
            noticed = self._watch.wait(left)
            self._hand_in(intake, self._arrivals.named(noticed.names))
            if noticed.missed or noticed.gone:
                if noticed.gone:
                    self._unwatch()
                return

    def _hand_in(self, intake: Intake, arrivals: Iterable[Arrival]) -> None:
        for arrival in arrivals:
            if self.stopping.is_set():
                return
            self._arrivals.take(arrival)
            try:
                self._bring(intake, arrival)
            except BaseException:
                self._arrivals.give_back(arrival)
                raise

    def _bring(self, intake: Intake, arrival: Arrival) -> None:
        frame = self._frame(arrival)
        try:
            data = self._bytes(arrival)
        except LinesideError as error:
            if not self.comes_again(frame, error):
                intake.refuse(frame, error)
            return
        if data is None:  # it changed again: it will arrive later
            self._arrivals.give_back(arrival)
            return
        frame.data = data
        self.brought()
        intake.offer(frame)

    def _frame(self, arrival: Arrival) -> Frame:
        name = arrival.key.name.removeprefix(self._prefix)
        return Frame(self.name, name, b"", arrival.key.mtime_ns / 1e9, arrival.found, key=arrival.key)

    def _bytes(self, arrival: Arrival) -> bytes | None:
        check_size(arrival.key.size)
        head = self._arrivals.peek(arrival, SNIFF_BYTES)
        if head is not None and format_of(head) is None:
            raise LinesideError("image.unsupported", why=f"it begins with {head[:8].hex()}" if head else "it is empty")
        return self._arrivals.read(arrival)
