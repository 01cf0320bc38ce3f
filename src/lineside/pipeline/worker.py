"""The worker: claims runs, one at a time, and does each to its end."""

from __future__ import annotations

import logging
import shutil
import threading
from pathlib import Path

from lineside.contract.errors import LinesideError
from lineside.contract.run import Run, RunState
from lineside.pipeline.control import Control, PatientControl
from lineside.pipeline.workflow import Steps, Workflows

_IDLE = 0.5  # seconds between two questions for work
_AFTER_ERROR = 5.0
_logger = logging.getLogger(__name__)


class Worker:
    """One worker over one folder; whoever makes it holds the folder's lock.

    `name` stays the same over restarts: runs are handed back to it by that name, even when its folder was lost.
    """

    def __init__(self, control: Control, root: Path, name: str, threads: int, stop: threading.Event) -> None:
        self._stop = stop
        self._control = PatientControl(control)
        self._name = name
        self._steps = Steps(self._control, root, threads)
        self._workflows = Workflows(root / "dbos.sqlite", self._name, self._steps.perform)

    def run(self) -> None:
        """Work until told to stop. What a crash interrupted goes on first: the control plane hands it back."""
        self._workflows.launch()
        while not self._stop.is_set():
            try:
                claimed = self._control.claim_run(self._name)
                if claimed is not None:
                    self._finish(claimed)
                    continue
                self._stop.wait(_IDLE)
            except LinesideError as error:
                _logger.error("%s %s", error, error.next)
                self._stop.wait(_AFTER_ERROR)
        self._workflows.close()

    def _finish(self, run: Run) -> None:
        _logger.info("run %s begins", run.id)
        finish = self._workflows.finish(run.id, run.request.kind)
        if finish.state is not RunState.CANCELLED:
            self._control.finish_run(run.id, finish)
        shutil.rmtree(self._steps.folder(run.id), ignore_errors=True)
        _logger.info("run %s: %s", run.id, finish.state.value)
