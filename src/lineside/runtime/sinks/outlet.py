"""One sink's way out: a thread gives it results from the spool, notes what arrived, and holds back after a failure.
What goes wrong here stays here: other sinks have outlets of their own."""

from __future__ import annotations

import random
import sqlite3
import time
from dataclasses import dataclass
from threading import Event, Thread

from lineside.contract.errors import ErrorReport, LinesideError
from lineside.runtime.announce import announce, rfc3339
from lineside.runtime.sinks import Refusing, Sink
from lineside.runtime.spool import Spool

LAG = 1000
"""Results that a sink which is not durable may lie behind the newest before they are passed over."""

_BATCH = 500
_IDLE = 0.5  # seconds between looks at the sink when nobody wakes us
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
_LAST_WORDS = 2.0  # seconds a sink has for what was sent when all stops


@dataclass(slots=True)
class SinkState:
    """A sink since the start: results that arrived, results passed over because it was away (never of a durable one),
    results its other side refused for good and the last such answer, failures, and what is wrong now, since when
    (RFC 3339); `error` says it where it has a code of its own."""

    delivered: int = 0
    missed: int = 0
    refused: int = 0
    refusal: str = ""
    failures: int = 0
    trouble: str = ""
    since: str = ""
    error: ErrorReport | None = None


class Outlet:
    """Between the spool and one sink."""

    def __init__(self, name: str, sink: Sink, spool: Spool) -> None:
        self.name, self.durable, self.state = name, sink.durable, SinkState()
        self._sink, self._spool = sink, spool
        self._refusing = sink if isinstance(sink, Refusing) else None
        self._sent = spool.cursor(name)
        self._open: dict[int, None] = {}  # sent, not arrived, in their order
        self._wait = 0.0  # seconds to hold back; 0 when all is well
        self._not_before = 0.0
        self._bell = Event()
        self._stopping = False
        self._thread = Thread(target=self._run, name=f"sink {name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do."""
        self._bell.set()

    def stop(self) -> None:
        """Begins to end: the sink is given what it takes at once, and a moment."""
        self._stopping = True
        self._bell.set()

    def join(self, timeout: float) -> None:
        """Waits for the end."""
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping:
            self._bell.wait(_IDLE)
            self._bell.clear()
            self._catch_up()
            if time.monotonic() >= self._not_before:
                self._attempt()
        if self._wait == 0.0:
            self._attempt()
        try:
            self._sink.close(_LAST_WORDS)
            self._settle()
        except (OSError, LinesideError, sqlite3.Error) as error:
            announce("sink.failed", sink=self.name, why=str(error))

    def _attempt(self) -> None:
        try:
            self._exchange()
        except Exception as error:  # noqa: BLE001 whatever it is, the other sinks and the line go on
            self._hold_back(error)
        else:
            self._wait = 0.0
            self._note(self._sink.trouble())

    def _exchange(self) -> None:
        """Gives the sink what it has room for, and notes what has arrived."""
        self._settle()
        while self._sent + 1 < self._spool.next_sequence and (room := self._sink.room()):
            entries = self._spool.after(self._sent, min(room, _BATCH))
            if not entries:
                return
            self._sink.send(entries)
            self._open.update(dict.fromkeys(entry.sequence for entry in entries))
            self._sent = entries[-1].sequence
            self._settle()

    def _settle(self) -> None:
        arrived = self._sink.settled()
        for sequence in arrived:
            self.state.delivered += sequence in self._open
            self._open.pop(sequence, None)
        self._set_aside()
        reached = next(iter(self._open)) - 1 if self._open else self._sent
        self._spool.advance(self.name, reached)

    def _set_aside(self) -> None:
        for sequence, why in self._refusing.refused() if self._refusing else ():
            self._open.pop(sequence, None)
            self.state.refused += 1
            self.state.refusal = f"number {sequence}: {why}"
            announce("sink.refused", sink=self.name, sequence=sequence, why=why)

    def _catch_up(self) -> None:
        """A sink that is not durable lets go of what is too old for it."""
        newest = self._spool.next_sequence - 1
        if self.durable or newest - self._sent <= LAG or (self._wait == 0.0 and self._sink.room()):
            return
        self.state.missed += newest - LAG - self._sent
        self._sent = newest - LAG
        self._spool.advance(self.name, self._sent)

    def _hold_back(self, error: Exception) -> None:
        self._wait = min(_LONGEST_WAIT, 2 * self._wait or _FIRST_WAIT)
        self._not_before = time.monotonic() + self._wait * random.uniform(0.5, 1.0)
        self.state.failures += 1
        if isinstance(error, LinesideError):
            self._note(error.message, error.report())
        else:
            self._note(str(error) or type(error).__name__)

    def _note(self, trouble: str, error: ErrorReport | None = None) -> None:
        """Announces what changed: a failure once, not at each try."""
        self.state.error = error
        if trouble == self.state.trouble:
            return
        was, self.state.trouble = self.state.trouble, trouble
        if not (was and trouble):
            self.state.since = rfc3339(time.time())
        if trouble and not was:
            announce("sink.failed", sink=self.name, why=trouble)
        elif not trouble:
            announce("sink.recovered", sink=self.name)
