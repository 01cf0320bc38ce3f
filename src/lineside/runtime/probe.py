"""The probe: is the runtime ready? Exit code 0 yes, 2 never, 1 not yet; the status is printed as one line of JSON."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from lineside.runtime.status import RuntimeState, is_alive, read_status

READY, NOT_YET, NEVER = 0, 1, 2


def probe(work: Path) -> int:
    """Prints the status and returns the exit code."""
    status = read_status(work)
    if status is None:
        sys.stdout.write('{"state":"absent"}\n')
        return NOT_YET
    sys.stdout.write(msgspec.json.encode(status).decode() + "\n")
    if not is_alive(status):
        return NOT_YET  # the word of an earlier process
    return {RuntimeState.READY: READY, RuntimeState.FAILED: NEVER}.get(status.state, NOT_YET)
