"""The fence: what an attempt that is over says about its run changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from lineside.contract.errors import LinesideError
from lineside.contract.run import RunState
from lineside.contract.worker import ATTEMPT
from lineside.server.database import Database
from lineside.server.runs import store


class Fencing:
    """Holds what is said about runs to the attempt that says it: the header `ATTEMPT`, `RUN NUMBER`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def writes(self, attempt: str | None, run: str | None = None, *, ended_too: bool = False) -> Iterator[None]:
        """Within it, this thread's writes raise `run.lease_lost` when `attempt` is not the newest of its run, or that
        run is no longer at work, or is not `run`. Whoever names no attempt is not checked."""
        if attempt is None:
            yield
            return

        def check(session: Session) -> None:
            self.check(session, attempt, run, ended_too=ended_too)

        with self._database.checked(check):
            yield

    def check(self, session: Session, attempt: str | None, run: str | None = None, *, ended_too: bool = False) -> None:
        """Raises `run.lease_lost` as within `writes`, and `request.invalid` when no attempt is named."""
        if attempt is None:
            raise LinesideError("request.invalid", why=f"the header {ATTEMPT} is missing")
        named, _, number = attempt.partition(" ")
        row = store.run_by_id(session, named)
        mine = row is not None and str(row.attempt) == number and run in (None, named)
        if not mine or (row is not None and not ended_too and row.state != RunState.RUNNING.value):
            raise LinesideError("run.lease_lost", run=named[:40], attempt=number[:10])
