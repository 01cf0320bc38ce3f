"""Messages from another thread on their way to the bus's: bounded, the oldest go first."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

MAX_BYTES = 8 << 20
MAX_MESSAGES = 2000

T = TypeVar("T")


class Inbox(Generic[T]):
    """`put` from any thread; `take` hands everything over in the bus's thread, to which `post` leads."""

    def __init__(self, post: Callable[[Callable[[], None]], None], take: Callable[[T], None]) -> None:
        self._post = post
        self._take = take
        self._lock = threading.Lock()
        self._items: deque[tuple[int, T]] = deque()
        self._bytes = 0
        self.dropped = 0

    def put(self, size: int, item: T) -> None:
        """Add an item of so many bytes."""
        with self._lock:
            while self._items and (len(self._items) >= MAX_MESSAGES or self._bytes + size > MAX_BYTES):
                self._bytes -= self._items.popleft()[0]
                self.dropped += 1
            first = not self._items
            self._items.append((size, item))
            self._bytes += size
        if first:
            self._post(self._drain)

    def _drain(self) -> None:
        with self._lock:
            items, self._items, self._bytes = self._items, deque(), 0
        for _, item in items:
            self._take(item)
