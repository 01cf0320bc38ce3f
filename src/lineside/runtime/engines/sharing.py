"""Who gets all cores: an image that comes alone. Images side by side get one each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class WideOrNarrow(Generic[T]):
    """Two ways to run the same model: on all threads, for one run at a time, or on one thread, side by side."""

    def __init__(self, wide: T, narrow: T) -> None:
        self._wide, self._narrow = wide, narrow
        self._running, self._lock = 0, Lock()

    @contextmanager
    def taken(self) -> Iterator[T]:
        """The way for a run, while it is entered."""
        with self._lock:
            way = self._narrow if self._running else self._wide
            self._running += 1
        try:
            yield way
        finally:
            with self._lock:
                self._running -= 1

    @contextmanager
    def aside(self) -> Iterator[None]:
        """While it is entered, runs take one thread and leave the other cores to whoever decides meanwhile."""
        with self.taken():
            yield
