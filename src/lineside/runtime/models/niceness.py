"""Threads that wait for a core behind those that decide."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

_NICER = 5
"""Of 19: a thread that never got a core would hold the interpreter's lock for too long."""


def wait_behind_others() -> None:
    """Makes the calling thread nicer, and all that it starts; for good. Where threads have no niceness of their own
    (all but Linux) nothing happens."""
    if not hasattr(os, "sched_getaffinity"):
        return
    with suppress(OSError):
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICER)
