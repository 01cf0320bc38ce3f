"""Messages that went to the broker and will come back from it, because this device subscribed to their topic too."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from hashlib import blake2b

REMEMBERED = 512
SAME = 64
SECONDS = 60.0


class Echoes:
    """Bounded in number and time: one that never comes back is forgotten."""

    def __init__(self) -> None:
        self._expected: OrderedDict[bytes, deque[tuple[float, set[str], set[str]]]] = OrderedDict()

    def expect(self, topic: str, payload: bytes, heard: set[str]) -> None:
        """It was sent, and these components have it already."""
        key = _key(topic, payload)
        same = self._expected.setdefault(key, deque(maxlen=SAME))
        same.append((time.monotonic() + SECONDS, heard, set()))
        self._expected.move_to_end(key)
        if len(self._expected) > REMEMBERED:
            self._expected.popitem(last=False)

    def heard(self, subscription: str, topic: str, payload: bytes) -> set[str]:
        """Who has what came back through this subscription; each subscription brings it back once."""
        key = _key(topic, payload)
        now = time.monotonic()
        left = deque((one for one in self._expected.get(key, ()) if one[0] > now), SAME)
        if left:
            self._expected[key] = left
        else:
            self._expected.pop(key, None)
        for _, heard, seen in left:
            if subscription not in seen:
                seen.add(subscription)
                return heard
        return set()


def _key(topic: str, payload: bytes) -> bytes:
    return blake2b(payload, digest_size=16, key=blake2b(topic.encode(), digest_size=32).digest()).digest()
