"""Work that would hold up the bus's thread: done in a thread of its own lane, in order, answered later."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from lineside.contract.errors import LinesideError

MAX_QUEUED = 500


class Lane:
    """One queue and, once there is work, one thread."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue(MAX_QUEUED)
        self._thread: threading.Thread | None = None

    def put(self, work: Callable[[], None]) -> None:
        """Do it soon. Raises `bus.busy` when too much waits."""
        try:
            self._queue.put_nowait(work)
        except queue.Full:
            raise LinesideError("bus.busy", what=self._name) from None
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"bus-{self._name}", daemon=True)
            self._thread.start()

    def stop(self, patience: float) -> None:
        """Finish what was begun, at most so many seconds."""
        if self._thread is not None:
            try:
                self._queue.put(None, timeout=patience)
            except queue.Full:
                return
            self._thread.join(patience)

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            work()
