"""What goes by itself: files of runs that have ended, old logs, and workers that were not seen for long.

A run itself stays, with its steps, curves and gates. Its log goes `LOGS` after its end, a worker `WORKERS` after its
last sign of life.
"""

from __future__ import annotations

from datetime import timedelta

from lineside.server.clock import rfc3339
from lineside.server.runs import log_store, worker_store
from lineside.server.runs.kept import KeptFiles
from lineside.server.runs.leasing import Leasing
from lineside.server.services import Core

LOGS = timedelta(days=90)
WORKERS = timedelta(days=30)

_RUNS_AT_ONCE = 50  # whose logs go in one transaction: others wait to write


class Tidying:
    """Safe to repeat, and to be killed at any line."""

    def __init__(self, core: Core, leasing: Leasing) -> None:
        self._core, self._leasing = core, leasing
        self._files = KeptFiles(core)

    def step(self) -> None:
        """Remove all that has had its time."""
        self._files.forget_ended()
        self._forget_workers()
        while self._forget_some_logs():
            pass

    def _forget_workers(self) -> None:
        with self._core.database.read() as session:
            before = rfc3339(self._leasing.now(session) - WORKERS)
            old = worker_store.has_workers(session, before)
        if old:
            with self._core.database.write() as session:
                worker_store.forget_workers(session, before)

    def _forget_some_logs(self) -> bool:
        before = rfc3339(self._core.clock.now() - LOGS)
        with self._core.database.read() as session:
            runs = log_store.runs_with_old_logs(session, before, _RUNS_AT_ONCE)
        if runs:
            with self._core.database.write() as session:
                log_store.forget_logs(session, runs)
        return bool(runs)
