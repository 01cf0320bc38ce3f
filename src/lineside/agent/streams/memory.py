"""A stream that lives in memory only (persistence 1): it is gone when the stream manager ends."""

from __future__ import annotations

import collections
from collections.abc import Iterator

from lineside.agent.streams.segments import OVERHEAD, Message


class Memory:
    """The same as `Segments`, a message a segment."""

    def __init__(self) -> None:
        self._messages: collections.deque[Message] = collections.deque()
        self.next = 0
        self.size = 0

    @property
    def oldest(self) -> int:
        """Sequence number of the oldest message there is, or of the next one."""
        return self._messages[0].sequence if self._messages else self.next

    def append(self, at: int, payload: bytes, segment_size: int) -> int:
        """Add a message; its sequence number."""
        message = Message(self.next, at, payload)
        self._messages.append(message)
        self.next += 1
        self.size += OVERHEAD + len(payload)
        return message.sequence

    def read(self, start: int) -> Iterator[Message]:
        """Messages from a sequence number on."""
        skipped = max(0, start - self.oldest)
        for at in range(skipped, len(self._messages)):
            yield self._messages[at]

    def drop_oldest(self) -> bool:
        """Drop the oldest message; False when there is none."""
        if not self._messages:
            return False
        self.size -= OVERHEAD + len(self._messages.popleft().payload)
        return True

    def oldest_ends(self) -> int | None:
        """When the oldest message came; None when there is none."""
        return self._messages[0].at if self._messages else None

    def sync(self) -> None:
        """Nothing survives anyway."""

    def close(self) -> None:
        """Forget everything."""
        self._messages.clear()
