"""Several threads for one line of work: taken in order, worked on side by side, handed over in order.

While one lane waits for the model, another decodes the next frame: all cores have something to do, and results still
come in the order of their frames.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Condition, Lock, Thread
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")


class Lanes(Generic[T, U]):
    """`take` is called by one thread at a time, waits for the next piece of work and answers None at the end; `work` is
    called by up to `count` threads at once; `give` by one at a time, in the order of `take`, with what `work` answered.
    """

    def __init__(
        self, count: int, take: Callable[[], T | None], work: Callable[[T], U], give: Callable[[T, U], None]
    ) -> None:
        self.failure: BaseException | None = None
        """What `take`, `work` or `give` raised: all lanes end with the first."""
        self._take, self._work, self._give = take, work, give
        self._taking = Lock()
        self._taken = self._given = 0
        self._turn = Condition()
        self._ended = False
        self._threads = [Thread(target=self._guarded, name=f"lane-{n}", daemon=True) for n in range(max(1, count))]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self, timeout: float | None = None) -> bool:
        """Waits for the end, at most `timeout` seconds; whether it has come. What was taken by then is handed over."""
        until = None if timeout is None else time.monotonic() + timeout
        for thread in self._threads:
            thread.join(None if until is None else max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _guarded(self) -> None:
        try:
            while self._one():
                pass
        except BaseException as error:  # noqa: BLE001 - whoever started the lanes looks at it
            with self._turn:
                self.failure = self.failure or error
                self._ended = True
                self._turn.notify_all()

    def _one(self) -> bool:
        with self._taking:
            taken = None if self._ended else self._take()
            if taken is None:
                self._ended = True
                return False
            number, self._taken = self._taken, self._taken + 1
        done = self._work(taken)
        with self._turn:
            while self._given != number and self.failure is None:
                self._turn.wait()
            if self.failure is not None:
                return False
            self._give(taken, done)  # in its turn, and nobody else's: under the lock
            self._given += 1
            self._turn.notify_all()
        return True
