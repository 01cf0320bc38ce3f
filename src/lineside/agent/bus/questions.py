"""Questions from the updater's thread to components: each is answered, withdrawn, or runs out of time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

_LOOK = 0.2


class Question(Generic[T]):
    """One question to several components. Answers come in the bus's thread, `wait` is for the one that asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._open: set[str] = set()
        self.answers: dict[str, T] = {}

    def ask(self, components: Iterable[str]) -> None:
        """Who was asked; nobody more is."""
        with self._lock:
            self._open |= set(components)
            if not self._open:
                self._done.set()

    def answer(self, component: str, answer: T) -> bool:
        """A component's answer; False when it was not expected (any more)."""
        with self._lock:
            if component not in self._open:
                return False
            self._open.discard(component)
            self.answers[component] = answer
            if not self._open:
                self._done.set()
            return True

    def wait(self, timeout: float, cancelled: Callable[[], bool] | None = None) -> dict[str, T]:
        """All answers, or those there are after `timeout` seconds or when `cancelled`. Later ones are not taken."""
        deadline = time.monotonic() + timeout
        while not self._done.is_set() and (left := deadline - time.monotonic()) > 0:
            if cancelled is not None and cancelled():
                break
            self._done.wait(min(left, _LOOK) if cancelled is not None else left)
        with self._lock:
            self._open.clear()
            return dict(self.answers)
