"""Delivery: decided images go to disk, then captures are kept, then every sink gets the results. One thread stores;
each sink has a thread of its own (`sinks.outlet`).

The order is what makes a sequence number safe: nobody sees a result before its number is synced to the spool.

A result that comes alone is written at once. While the disk is busy with one batch the next one gathers, and batches
begin at least `SPACING` apart, so that many results a second cost few syncs and few results wait for none.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Condition, Thread
from typing import Protocol

import msgspec

from lineside.contract.result import Result
from lineside.runtime.announce import announce
from lineside.runtime.captures.chooser import Wanted
from lineside.runtime.sinks import BEGINS_AT, Sink
from lineside.runtime.sinks.outlet import Outlet, SinkState
from lineside.runtime.spool import Entry, InputKey, Spool

SPACING = 0.005
"""Seconds between two batches at least."""

WAITING_AT_MOST = 2048
"""Results that wait for the disk, beside the batch that is being written; so many make one that waits no longer."""

_HELD_AT_MOST = 32 * 1024 * 1024  # bytes of what waits for the disk
_IDLE = 0.5  # seconds after which cursors are written although no result came
_DISK_RETRY = 1.0


@dataclass(frozen=True, slots=True)
class Keep:
    """An image to capture, once its result is on disk."""

    data: bytes
    wanted: Wanted


class Keeping(Protocol):
    """Where captures go."""

    def keep(self, data: bytes, wanted: Wanted, result: Result) -> object | None:
        """Stores an image; None when it is refused. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Done:
    """A frame that is finished: decided (`entry`), or passed over (None). `key` is its file's, if it came from one."""

    key: InputKey | None
    entry: Entry | None = None
    result: Result | None = None
    keep: Keep | None = None
    then: Callable[[Result], None] | None = None

    @property
    def size(self) -> int:
        """Bytes that wait for the disk."""
        return (len(self.entry.payload) if self.entry else 0) + (len(self.keep.data) if self.keep else 0)


@dataclass(slots=True)
class Delivered:
    """Counts since the start. A result is published when every durable sink has it."""

    published: int = 0
    captured: int = 0


class Delivery:
    """Takes finished frames from any thread and brings them to disk and to the sinks in its own threads."""

    def __init__(self, spool: Spool, captures: Keeping | None, *, spacing: float = SPACING) -> None:
        self.failure: BaseException | None = None
        self._spool, self._captures, self._spacing = spool, captures, spacing
        self._outlets: list[Outlet] = []
        self._captured = 0
        self._next_sequence = spool.next_sequence
        self._waiting: list[Done] = []
        self._held = 0
        self._changed = Condition()
        self._stopping = False
        self._damaged = 0
        self._failing: set[str] = set()  # what could not be written the last time
        self._thread = Thread(target=self._guarded, name="delivery", daemon=True)

    @property
    def counts(self) -> Delivered:
        """What became of results so far."""
        counting = [each for each in self._outlets if each.durable] or self._outlets
        return Delivered(min((each.state.delivered for each in counting), default=0), self._captured)

    def sinks(self) -> dict[str, SinkState]:
        """Each sink by name."""
        return {outlet.name: outlet.state for outlet in self._outlets}

    def start(self, sinks: Mapping[str, Sink]) -> None:
        """Begins. The names are what the spool knows the sinks by: a new name gets all that waits."""
        self._spool.follow(sinks, BEGINS_AT)
        self._outlets = [Outlet(name, sink, self._spool) for name, sink in sinks.items()]
        for outlet in self._outlets:
            outlet.start()
        self._thread.start()

    def wake(self) -> None:
        """Something may have changed at a sink."""
        for outlet in self._outlets:
            outlet.wake()

    def decided(
        self,
        key: InputKey | None,
        make: Callable[[int], Result],
        keep: Keep | None,
        then: Callable[[Result], None] | None = None,
    ) -> None:
        """A decided frame; `make` gets its sequence number. `then` is called with the result once it is on disk, in
        the thread that stores. Waits while the disk cannot follow."""
        with self._changed:
            self._wait_for_room()
            result = make(self._next_sequence)
            entry = Entry(self._next_sequence, msgspec.json.encode(result))
            self._next_sequence += 1
            self._put(Done(key, entry, result if keep or then else None, keep, then))

    def passed_over(self, key: InputKey | None) -> None:
        """An input that is no image, or a damaged one: it is not looked at again."""
        if key is None:
            return
        with self._changed:
            self._wait_for_room()
            self._put(Done(key))

    def stop(self, timeout: float = 10.0) -> None:
        """Brings what waits to disk, gives the sinks a moment, and closes them."""
        end = time.monotonic() + timeout
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        for outlet in self._outlets:
            outlet.stop()
        for outlet in self._outlets:
            outlet.join(max(0.0, end - time.monotonic()))
        with suppress(OSError, sqlite3.Error):
            self._spool.tidy()

    # --- what waits -------------------------------------------------------------------------------------------------

    def _wait_for_room(self) -> None:
        while (len(self._waiting) >= WAITING_AT_MOST or self._held > _HELD_AT_MOST) and self.failure is None:
            self._changed.wait(_IDLE)

    def _put(self, done: Done) -> None:
        self._waiting.append(done)
        self._held += done.size
        if len(self._waiting) in (1, WAITING_AT_MOST):
            self._changed.notify_all()

    def _next_batch(self, not_before: float) -> tuple[list[Done], bool]:
        with self._changed:
            if not (self._waiting or self._stopping):
                self._changed.wait(_IDLE)
            while 0 < len(self._waiting) < WAITING_AT_MOST and not self._stopping:
                left = not_before - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            batch, self._waiting, self._held = self._waiting, [], 0
            self._changed.notify_all()
            return batch, self._stopping

    # --- the thread that stores -------------------------------------------------------------------------------------

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as error:
            self.failure = error  # the main thread ends the process with it
            raise

    def _run(self) -> None:
        not_before = 0.0
        while True:
            batch, stopping = self._next_batch(not_before)
            not_before = time.monotonic() + self._spacing
            if batch:
                self._store(batch)
            elif stopping:
                return
            else:
                self._on_disk("cursors", self._spool.tidy)
            self._notice_damage()

    def _store(self, batch: list[Done]) -> None:
        entries = [done.entry for done in batch if done.entry]
        keys = [done.key for done in batch if done.key]
        while not self._on_disk("results", partial(self._spool.append, entries, keys)):
            time.sleep(_DISK_RETRY)
            self._on_disk("cursors", self._spool.tidy)  # what the sinks have by now makes room
        self.wake()
        for done in batch:
            if done.then and done.result:
                self._tell(done.then, done.result)
        self._capture_all(batch)

    def _tell(self, then: Callable[[Result], None], result: Result) -> None:
        try:
            then(result)
        except Exception as error:  # noqa: BLE001 who asked may be gone, and the line goes on
            announce("reply.failed", sequence=result.sequence, why=f"{type(error).__name__}: {error}")

    def _capture_all(self, batch: Iterable[Done]) -> None:
        for done in batch:
            if done.keep and done.result and self._captures:
                self._capture(self._captures, done.keep, done.result)

    def _capture(self, captures: Keeping, keep: Keep, result: Result) -> None:
        record: object | None = None

        def write() -> None:
            nonlocal record
            record = captures.keep(keep.data, keep.wanted, result)

        self._on_disk("captures", write)
        self._captured += record is not None

    def _notice_damage(self) -> None:
        if self._spool.damaged != self._damaged:
            self._damaged = self._spool.damaged
            announce("spool.damaged", results=self._damaged)

    def _on_disk(self, what: str, act: Callable[[], None]) -> bool:
        """Whether a write worked; a full or slow disk is announced, once until `what` is written again, and is no
        reason to end."""
        try:
            act()
        except (OSError, sqlite3.OperationalError) as error:
            if what not in self._failing:
                self._failing.add(what)
                announce("disk.failed", what=what, why=str(error))
            return False
        self._failing.discard(what)
        return True
