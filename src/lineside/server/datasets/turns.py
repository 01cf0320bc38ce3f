"""Turns: work that takes much of a machine is done by few at once, so that devices are answered meanwhile.

Each control plane has them for itself. Who finds too many waiting, or has waited too long, is told when to come again.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lineside.contract.errors import LinesideError

AGAIN_S = 3
"""Seconds after which who was sent away may come again."""


class Turns:
    """At most `at_once` work, at most `waiting` wait for `patience` seconds; all others are sent away."""

    def __init__(self, what: str, *, at_once: int, waiting: int, patience: float) -> None:
        self._what, self._patience = what, patience
        self._room = at_once + waiting
        self._turns = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn and keep it. Raises `dataset.busy`."""
        with self._lock:
            if self._room == 0:
                raise LinesideError("dataset.busy", what=self._what, seconds=0, after=AGAIN_S)
            self._room -= 1
        started = time.monotonic()
        try:
            if not self._turns.acquire(timeout=self._patience):
                waited = round(time.monotonic() - started)
                raise LinesideError("dataset.busy", what=self._what, seconds=waited, after=AGAIN_S)
            try:
                yield
            finally:
                self._turns.release()
        finally:
            with self._lock:
                self._room += 1


def spare_cores() -> int:
    """Cores that imports may use: one stays for devices, where there is more than one."""
    return max(1, min(4, (os.cpu_count() or 1) - 1))
