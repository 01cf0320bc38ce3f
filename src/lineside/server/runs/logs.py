"""What runs say while they go on."""

from __future__ import annotations

from lineside.contract.errors import LinesideError
from lineside.contract.run import RUN_MOVES, RunState
from lineside.contract.worker import MOST_LOG, MOST_PIECE, LogPage, LogReport
from lineside.server.clock import rfc3339
from lineside.server.runs import log_store, store
from lineside.server.services import Core

_LAST_PIECES, _LAST_LINES = 20, 300  # on a run's page


class RunLogs:
    """Logs of runs, piece by piece."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def add(self, run: str, said: LogReport) -> None:
        """Keep a part of a step's log: at most `MOST_LOG` bytes of each step. Raises `request.not_found`,
        `request.invalid`."""
        if len(said.text.encode()) > MOST_PIECE:
            raise LinesideError("request.invalid", why=f"a piece of a log has {MOST_PIECE} bytes at most")
        with self._core.database.write() as session:
            row = store.run_by_id(session, run)
            if row is None or store.step_row(session, run, said.step) is None:
                raise LinesideError("request.not_found", what="step", name=f"{said.step[:40]} of {run[:40]}")
            log_store.add_piece(session, run, row.attempt, said, rfc3339(self._core.clock.now()), MOST_LOG)

    def page(self, run: str, step: str | None, after: int, limit: int) -> LogPage:
        """What was said after a number, oldest first. Raises `request.not_found`."""
        with self._core.database.read() as session:
            row = store.run_by_id(session, run)
            if row is None:
                raise LinesideError("request.not_found", what="run", name=run)
            found = log_store.pieces(session, run, step, after, limit)
            ended = not RUN_MOVES[RunState(row.state)] and len(found) < limit
        return LogPage(pieces=tuple(found), after=found[-1].number if found else after, ended=ended)

    def last(self, run: str, step: str) -> str:
        """The last lines that a step said."""
        with self._core.database.read() as session:
            said = "".join(log_store.last_pieces(session, run, step, _LAST_PIECES))
        return "\n".join(said.splitlines()[-_LAST_LINES:])
