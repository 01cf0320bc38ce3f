"""What sources have in common: a thread that outlives its mishaps, and a word on how it is."""

from __future__ import annotations

import time
from threading import Event, Lock, Thread

import msgspec

from lineside.contract.errors import LinesideError
from lineside.runtime.announce import announce
from lineside.runtime.frames import Frame, Intake, SourceHealth, SourceState

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_JOIN = 5.0


class ThreadedSource:
    """A source whose `run` goes on in a thread of its own until `stopping` is set. A `LinesideError` out of `run` is
    something that no wait will mend: the source has failed for good. Anything else is announced, and `run` begins
    again, after longer and longer pauses. Neither stops the other sources."""

    def __init__(self, name: str, *, live: bool) -> None:
        self.name, self.live = name, live
        self.stopping = Event()
        self._health = SourceHealth(since=time.time())
        self._lock = Lock()
        self._thread: Thread | None = None

    def run(self, intake: Intake) -> None:
        """Brings frames until `stopping` is set."""
        raise NotImplementedError

    def start(self, intake: Intake) -> None:
        self._thread = Thread(target=self._guarded, args=(intake,), name=f"source-{self.name}", daemon=True)
        self._thread.start()

    def finished(self, frame: Frame) -> None:
        """A frame is done; nothing to remember."""

    def comes_again(self, frame: Frame, error: LinesideError) -> bool:
        return False

    def wake(self) -> None:
        """Ends whatever the thread waits for."""

    def stop(self) -> None:
        self.stopping.set()
        self.wake()
        if self._thread is not None:
            self._thread.join(_JOIN)

    def health(self) -> SourceHealth:
        with self._lock:
            return self._health

    def become(self, state: SourceState, error: LinesideError | None = None) -> None:
        """Notes and announces a change of state, and what is behind it."""
        code, why, after = (error.code, error.message, error.next) if error else ("", "", "")
        with self._lock:
            old = self._health
            changed = (state, code) != (old.state, old.code)
            since = time.time() if changed else old.since
            self._health = msgspec.structs.replace(old, state=state, code=code, why=why, next=after, since=since)
        if changed:
            announce("source.changed", source=self.name, state=state.value, code=code, why=f"{why} {after}".strip())

    def brought(self) -> None:
        """One frame more."""
        with self._lock:
            self._health = msgspec.structs.replace(self._health, frames=self._health.frames + 1)

    def reconnected(self) -> None:
        """It is there again."""
        with self._lock:
            self._health = msgspec.structs.replace(self._health, reconnects=self._health.reconnects + 1)

    def _guarded(self, intake: Intake) -> None:
        pause = _FIRST_PAUSE
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                self.run(intake)
                return
            except LinesideError as error:
                self.become(SourceState.FAILED, error)
                return
            except Exception as error:  # noqa: BLE001 - a source's mishap, of whatever kind, must not stop the line
                self.become(SourceState.FAILED, LinesideError("source.broken", why=f"{type(error).__name__}: {error}"))
            pause = _FIRST_PAUSE if time.monotonic() - began > _LONGEST_PAUSE else min(2 * pause, _LONGEST_PAUSE)
            self.stopping.wait(pause)
