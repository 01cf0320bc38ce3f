"""The probe: is the runtime ready? Exit code 0 yes, 2 never, 1 not yet; the status is printed as one line of JSON."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from lineside.contract.configuration import SETTLING_VARIABLE
from lineside.runtime.models.followed import followed_folders
from lineside.runtime.models.swap_status import SwapState, SwapStatus
from lineside.runtime.status import GoldenState, RuntimeState, Status, is_alive, read_status

READY, NOT_YET, NEVER = 0, 1, 2
_LOOK = 0.2  # seconds between two looks
PATIENCE = 25.0
"""Seconds for which it waits for a swap; the agent asks again until the recipe's time-out is over."""


def probe(work: Path, environment: Mapping[str, str] = os.environ, patience: float = PATIENCE) -> int:
    """Prints the status and returns the exit code.

    While the process swaps, and when it has refused a version, the model before decides, and it is ready: to start it
    again would only stop decisions. But when the agent asks whether the version that it has named decides
    (`SETTLING_VARIABLE`), this waits for it, and one that was refused never will."""
    settling = bool(environment.get(SETTLING_VARIABLE))
    until = time.monotonic() + patience
    while True:
        status, wanted = read_status(work), followed_folders(environment) if settling else {}
        if status is None or not _swaps(status, wanted) or time.monotonic() >= until:
            break
        time.sleep(_LOOK)
    swaps = status.swaps.values() if status is not None and settling else ()
    refused = [one for one in swaps if one.state is SwapState.REFUSED]
    if status is not None and refused:
        status.state, status.error = RuntimeState.FAILED, refused[0].error
        if status.error is not None and status.error.code == "golden.mismatched":
            status.golden = GoldenState.MISMATCHED
    return _answer(status, wanted)


def _swaps(status: Status, wanted: Mapping[str, Path]) -> bool:
    """Whether a running process has not yet done, or refused, what the agent wants of it."""
    if status.state is not RuntimeState.READY or not is_alive(status):
        return False
    return any(_open(status.swaps.get(component), folder) for component, folder in wanted.items())


def _open(swap: SwapStatus | None, folder: Path) -> bool:
    """Whether a process has yet to say what became of a folder. Of a component that is new to it, it says something
    soon, even that it has no use for it."""
    if swap is None or swap.state is SwapState.LOADING:
        return True
    return swap.state is not SwapState.UNUSED and swap.folder != str(folder)


def _answer(status: Status | None, wanted: Mapping[str, Path]) -> int:
    if status is None:
        sys.stdout.write('{"state":"absent"}\n')
        return NOT_YET
    sys.stdout.write(msgspec.json.encode(status).decode() + "\n")
    if not is_alive(status):
        return NOT_YET  # the word of an earlier process
    if _swaps(status, wanted):
        return NOT_YET
    return {RuntimeState.READY: READY, RuntimeState.FAILED: NEVER}.get(status.state, NOT_YET)
