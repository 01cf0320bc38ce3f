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
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not in {seconds:.0f} s"
        pause.wait(0.02)
    return answer
