"""Waiting on a condition, with a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 240.0
"""Seconds for what takes a moment, on a machine that may stand still for half a minute (for its disk, say)."""


def eventually(condition: Callable[[], T], seconds: float = PATIENCE) -> T:
    """The condition's first true answer; fails when there is none in time."""
    began = time.monotonic()
    pause = threading.Event()
    while not (answer := condition()):
        waited = time.monotonic() - began
        assert waited < seconds, f"not in {seconds:.0f} s"
        pause.wait(until_next(waited))
    return answer


def until_next(waited: float) -> float:
    """Seconds until a condition is looked at again that was waited for so long already: a tenth of it, half a second at
    most. To ask again and again takes the processors from what is waited for."""
    return min(max(0.02, waited / 10), 0.5)
