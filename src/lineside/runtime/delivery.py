"""Delivery: decided images go to disk, then captures are kept, then a sink gets the results. One thread of its own.

The order is what makes a sequence number safe: nobody sees a result before its number is synced to the spool.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Condition, Thread

import msgspec

from lineside.contract.result import Result
from lineside.runtime.announce import announce
from lineside.runtime.capture import CaptureFolder, Wanted
from lineside.runtime.sinks import Sink
from lineside.runtime.spool import Entry, InputKey, Spool

_BATCH = 64
_WAITING_AT_MOST = 256
_IDLE = 0.5  # seconds between looks at the sink when nobody wakes us
_DISK_RETRY = 1.0


@dataclass(frozen=True, slots=True)
class Keep:
    """An image to capture, once its result is on disk."""

    data: bytes
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Done:
    """An input that is finished: decided (`result`), or passed over (None). `then` is told once that is on disk."""

    key: InputKey | None
    result: Result | None = None
    keep: Keep | None = None
    then: Callable[[Result], None] | None = None


@dataclass(slots=True)
class Delivered:
    """Counts since the start."""

    published: int = 0
    captured: int = 0


class Delivery:
    """Takes finished inputs from any thread and brings them to disk and to the sink in its own."""

    def __init__(self, spool: Spool, captures: CaptureFolder | None) -> None:
        self.counts = Delivered()
        self.failure: BaseException | None = None
        self._spool, self._captures = spool, captures
        self._sink: Sink | None = None
        self._next_sequence = spool.next_sequence
        self._waiting: list[Done] = []
        self._changed = Condition()
        self._woken = self._stopping = False
        self._sent = 0  # the highest sequence number the sink was given
        self._thread = Thread(target=self._guarded, name="delivery", daemon=True)

    def start(self, sink: Sink) -> None:
        self._sink = sink
        self._thread.start()

    def wake(self) -> None:
        """Something may have changed at the sink."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def decided(
        self,
        key: InputKey | None,
        make: Callable[[int], Result],
        keep: Keep | None,
        then: Callable[[Result], None] | None = None,
    ) -> None:
        """A decided image; `make` gets its sequence number. Waits while the disk cannot follow. `then` is called, from
        the delivery's thread, once the result is on disk. Without a `key` there is no input to remember."""
        with self._room():
            self._waiting.append(Done(key, make(self._next_sequence), keep, then))
            self._next_sequence += 1

    def passed_over(self, key: InputKey | None) -> None:
        """An input that is no image, or a damaged one: it is not looked at again."""
        if key is not None:
            with self._room():
                self._waiting.append(Done(key))

    def stop(self, timeout: float = 10.0) -> None:
        """Brings what waits to disk, gives the sink a moment, and closes it."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(timeout)

    @contextmanager
    def _room(self) -> Iterator[None]:
        """Room for one more input; the thread that brings it to disk is woken."""
        with self._changed:
            while len(self._waiting) >= _WAITING_AT_MOST and self.failure is None:
                self._changed.wait(_IDLE)
            yield
            self._changed.notify_all()

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as error:
            self.failure = error  # the main thread ends the process with it
            raise

    def _run(self) -> None:
        assert self._sink is not None
        while True:
            batch, stopping = self._next_batch()
            if batch:
                self._store(batch)
            self._exchange(self._sink)
            if stopping and not batch:
                self._sink.close(2.0)
                self._settle(self._sink)
                return

    def _next_batch(self) -> tuple[list[Done], bool]:
        with self._changed:
            if not (self._waiting or self._woken or self._stopping):
                self._changed.wait(_IDLE)
            self._woken = False
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            self._changed.notify_all()
            return batch, self._stopping

    def _store(self, batch: list[Done]) -> None:
        entries = [Entry(d.result.sequence, msgspec.json.encode(d.result)) for d in batch if d.result]
        keys = [done.key for done in batch if done.key]
        while not self._on_disk(partial(self._spool.append, entries, keys)):
            time.sleep(_DISK_RETRY)
        for done in batch:
            if done.keep and done.result and self._captures:
                self._capture(self._captures, done.keep, done.result)
        for done in batch:
            if done.then and done.result:
                done.then(done.result)

    def _capture(self, folder: CaptureFolder, keep: Keep, result: Result) -> None:
        record = None

        def write() -> None:
            nonlocal record
            record = folder.keep(keep.data, keep.wanted, result)

        self._on_disk(write)
        self.counts.captured += record is not None

    def _exchange(self, sink: Sink) -> None:
        """Gives the sink what it has room for, and forgets what has arrived."""
        self._settle(sink)
        while room := sink.room():
            entries = self._spool.after(self._sent, min(room, _BATCH))
            if not entries:
                return
            if not self._on_disk(partial(sink.send, entries)):
                return
            self._sent = entries[-1].sequence
            self._settle(sink)

    def _settle(self, sink: Sink) -> None:
        arrived = sink.settled()
        if arrived:
            self._on_disk(partial(self._spool.remove, arrived))
            self.counts.published += len(arrived)

    def _on_disk(self, act: Callable[[], None]) -> bool:
        """Whether a write worked; a full or slow disk is announced and is no reason to end."""
        try:
            act()
        except (OSError, sqlite3.OperationalError) as error:
            announce("disk.failed", why=str(error))
            return False
        return True
