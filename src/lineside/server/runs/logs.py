"""What runs say while they go on, and the files they keep here so that another worker can go on with them."""

from __future__ import annotations

from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_digest
from lineside.contract.run import RUN_MOVES, RunState
from lineside.contract.worker import MOST_LOG, MOST_PIECE, Kept, LogPage, LogReport
from lineside.server.clock import rfc3339
from lineside.server.runs import log_store, store
from lineside.server.services import Core

_MOST_NAME = 128
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


class KeptFiles:
    """Files of runs that go on; when a run has ended, they are gone."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def keep(self, run: str, kept: Kept) -> None:
        """Remember a file whose blob was sent; the one before goes. Raises `request.not_found`, `request.invalid`,
        `state.illegal_move` for a run that is not at work."""
        parts = kept.name.split("/")
        if len(kept.name) > _MOST_NAME or {"", ".", ".."} & set(parts) or not is_digest(kept.digest):
            raise LinesideError("request.invalid", why=f"{kept.name[:40]!r} or its digest cannot be kept")
        if not self._core.objects.exists(kept.digest):
            raise LinesideError("request.not_found", what="blob", name=kept.digest)
        with self._core.database.write() as session:
            row = store.run_by_id(session, run)
            if row is None:
                raise LinesideError("request.not_found", what="run", name=run)
            if RunState(row.state) is not RunState.RUNNING:
                raise LinesideError("run.lease_lost", run=run, attempt=row.attempt)
            before = log_store.keep(session, run, kept, rfc3339(self._core.clock.now()))
        self._drop([before] if before else [])

    def of(self, run: str) -> list[Kept]:
        """What a run keeps, by name."""
        with self._core.database.read() as session:
            return log_store.kept_of(session, run)

    def forget(self, run: str) -> None:
        """The run has ended: nobody goes on with it."""
        if not self.of(run):
            return
        with self._core.database.write() as session:
            digests = log_store.forget_kept(session, run)
        self._drop(digests)

    def _drop(self, digests: list[str]) -> None:
        for digest in digests:
            with self._core.database.read() as session:
                used = log_store.is_used(session, digest)
            if not used:
                self._core.objects.delete(digest)
