"""What a hint says."""

from __future__ import annotations

import msgspec

from lineside.contract.hint import Hint
from lineside.contract.reading import UNREADABLE

MAX_SPREAD = 600.0
"""Seconds: no hint puts a question off for longer."""


def spread(payload: bytes) -> float:
    """Within how many seconds the device is to ask; 0, at once, when that is not said or cannot be read."""
    try:
        said = msgspec.json.decode(payload, type=Hint).spread
    except UNREADABLE:
        return 0.0
    return min(max(said, 0.0), MAX_SPREAD)
