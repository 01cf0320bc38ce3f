"""One run in a process of its own: what it does can be ended at any moment, and disturbs no other run.

    worker ──► server of processes (everything heavy is loaded) ──► one process a run ──► its own programs

It ends with its parent, and its programs end with it.
"""

from __future__ import annotations

import fcntl
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import wait
from pathlib import Path
from typing import IO, Any, NoReturn

from lineside.client import Client
from lineside.contract.errors import LinesideError
from lineside.contract.run import RunState
from lineside.pipeline import crash
from lineside.pipeline.control import LOST, PatientControl
from lineside.pipeline.entry import DONE, NOT_MINE, Job, folder_of
from lineside.pipeline.said import Printed, StepLog
from lineside.pipeline.sessions import keep_to_oneself, kill_marked, kill_session
from lineside.pipeline.workflow import Steps, Workflows

_LOCK_PATIENCE = 20.0  # seconds for a process before this one to be gone
_logger = logging.getLogger(__name__)


def perform(job: Job) -> NoReturn:
    """Do the run to its end, and end this process."""
    os.setsid()  # its programs can be found and ended by its session
    keep_to_oneself()
    threading.Thread(target=_end_with_parent, args=(job,), name="parent", daemon=True).start()
    client = Client(job.entry.url, job.entry.token, job.entry.ca, attempt=f"{job.run} {job.attempt}")
    log = _listen(client, job.run)
    status = 1
    try:
        status = _done(job, client, log)
    except LinesideError as error:
        status = NOT_MINE if error.code == LOST else 1
        _logger.log(logging.INFO if status == NOT_MINE else logging.ERROR, "run %s: %s", job.run, error.message)
    except BaseException:
        _logger.exception("run %s", job.run)
    finally:
        logging.shutdown()
        os._exit(status)  # nothing that matters is in memory only, and DBOS would take a second to say farewell


def _done(job: Job, client: Client, log: StepLog) -> int:
    control = PatientControl(client)
    root = Path(job.root)
    folder = folder_of(root, job.run)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        steps = Steps(control, root, folder, job, log, _not_mine)
        workflows = Workflows(folder / "dbos.sqlite", job.worker, steps.perform)
        workflows.launch()
        known = control.run(job.run)
        finish = workflows.finish(job.run, known.request.kind, [step.name for step in known.steps])
        crash.point("run.ended")
        if finish.state is RunState.CANCELLED:
            return NOT_MINE
        try:
            control.finish_run(job.run, finish)
        except LinesideError as error:
            if error.code != "state.illegal_move":
                raise
            return NOT_MINE  # it was stopped meanwhile
        crash.point("run.finished")
    _logger.info("run %s: %s", job.run, finish.state.value)
    return DONE


def _not_mine() -> NoReturn:
    """Before DBOS can take this for the run's end: this worker may be given the run again."""
    _logger.info("the run is another's now, or was stopped")
    logging.shutdown()
    os._exit(NOT_MINE)


def _alone(folder: Path) -> IO[str]:
    """The lock on a run's folder: a process of an earlier attempt may need a moment to end."""
    lock = (folder / "lock").open("a")
    deadline = time.monotonic() + _LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise LinesideError("start.root_in_use", pid="?", root=folder) from None
        time.sleep(0.05)


def _listen(client: Client, run: str) -> StepLog:
    """Log records go to the worker's log and to the run's, and so does what is printed."""
    printed: Any = sys.stderr
    logging.basicConfig(stream=printed, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    log = StepLog(client, run)
    logging.getLogger().addHandler(log)
    sys.stdout = sys.stderr = Printed(log, printed)
    return log


def _end_with_parent(job: Job) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        kill_session(os.getpid())
        kill_marked(folder_of(Path(job.root), job.run))
        os.kill(os.getpid(), signal.SIGKILL)
