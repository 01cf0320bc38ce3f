"""Named points at which a test lets a run's process die as if the power went.

    LINESIDE_CRASH_AT=step.performed,epoch:2 LINESIDE_CRASH_ONCE=FOLDER

It is killed with SIGKILL: no handler runs and no buffer is flushed. Once at each place: who makes the file there dies.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

POINTS = (
    "step.begun",  # :STEP  it is said that the step is at work
    "step.performed",  # :STEP  its outputs are there, and known to nobody
    "step.remembered",  # :STEP  they are in the cache, and not reported
    "step.reported",  # :STEP  they are reported, and DBOS does not know yet
    "step.kept",  # :NAME  a file of it was sent, and the one after it is not
    "epoch",  # :NUMBER  an epoch is on the disk, and not reported
    "run.ended",  # all steps are done, and the last word is not said
    "run.finished",  # it is said, and the folder is there still
)


def point(name: str) -> None:
    """Die here if the environment says so: by the whole name, or by what stands before its colon."""
    wanted = os.environ.get("LINESIDE_CRASH_AT")
    if wanted is None or not {name, name.partition(":")[0]} & set(wanted.split(",")):
        return
    try:
        (Path(os.environ["LINESIDE_CRASH_ONCE"]) / name).touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
