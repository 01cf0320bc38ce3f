"""The probe: is the runtime ready? Exit code 0 yes, 2 never, 1 not yet; the status is printed as one line of JSON."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from lineside.contract.configuration import FOLLOWED_VARIABLE
from lineside.runtime.models.followed import followed_folder, model_component
from lineside.runtime.models.swap_status import SwapState
from lineside.runtime.status import GoldenState, RuntimeState, Status, is_alive, read_status

READY, NOT_YET, NEVER = 0, 1, 2
_LOOK = 0.2  # seconds between two looks
PATIENCE = 25.0
"""Seconds for which it waits for a swap; the agent gives a probe 30."""


def probe(work: Path, environment: Mapping[str, str] = os.environ, patience: float = PATIENCE) -> int:
    """Prints the status and returns the exit code. While the process swaps its model for the version that the agent
    has named, it waits; one that refused it is well again once the agent names another."""
    until = time.monotonic() + patience
    while True:
        status, wanted = read_status(work), _wanted(environment)
        if status is None or not _swaps(status, wanted) or time.monotonic() >= until:
            break
        time.sleep(_LOOK)
    if status is not None and status.swap is not None and status.swap.state is SwapState.REFUSED:
        status.state, status.error = RuntimeState.FAILED, status.swap.error
        if status.error is not None and status.error.code == "golden.mismatched":
            status.golden = GoldenState.MISMATCHED
    return _answer(status, wanted)


def _wanted(environment: Mapping[str, str]) -> Path | None:
    """The folder of the model that the agent wants, where the process follows it."""
    file = environment.get(FOLLOWED_VARIABLE)
    return followed_folder(Path(file), model_component(environment)) if file else None


def _swaps(status: Status, wanted: Path | None) -> bool:
    """Whether a running process has not yet done, or refused, what the agent wants of it."""
    if status.state is not RuntimeState.READY or not is_alive(status):
        return False
    if wanted is None or status.swap is None:
        return False
    return status.swap.folder != str(wanted) or status.swap.state is SwapState.LOADING


def _answer(status: Status | None, wanted: Path | None) -> int:
    if status is None:
        sys.stdout.write('{"state":"absent"}\n')
        return NOT_YET
    sys.stdout.write(msgspec.json.encode(status).decode() + "\n")
    if not is_alive(status):
        return NOT_YET  # the word of an earlier process
    if _swaps(status, wanted):
        return NOT_YET
    return {RuntimeState.READY: READY, RuntimeState.FAILED: NEVER}.get(status.state, NOT_YET)
