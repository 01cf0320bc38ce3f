"""Who works on what: claims, beats, and the fence that keeps out who has lost a run.

    queued ──► running at attempt 1 ──► (its worker says nothing for 30 s) running at attempt 2 ──► …

A claim gives, in this order: what the same worker had and lost in a crash; what another worker has let lapse; what has
waited longest. Never what the claim says the worker does not do: what it had of that goes to another worker.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.contract.run import Run, RunState
from lineside.contract.run_order import BUILT_IN
from lineside.contract.worker import COMMANDS, LEASE_SECONDS, Beat, BeatAnswer, Claim, Held, Leave, Worker
from lineside.server.clock import parse_rfc3339, rfc3339
from lineside.server.runs import store, worker_store
from lineside.server.runs.fencing import Fencing
from lineside.server.runs.kept import KeptFiles
from lineside.server.runs.store import RunRow
from lineside.server.runs.worker_store import Sort
from lineside.server.services import Core

MOST_ATTEMPTS = 20
"""A run that has taken so many workers down will do so again. Attempts that a worker gave back do not count."""

_LEASE = timedelta(seconds=LEASE_SECONDS)
_GRACE = timedelta(seconds=5)  # after a start, for workers that could not beat while the control plane was away
_SEEN = timedelta(seconds=5)  # between two notes of when a worker was seen


def kinds_of(sort: Sort) -> frozenset[str]:
    """The kinds of steps that runs of a sort have: the built-in ones by name, and people's own."""
    kind, commands = sort
    return frozenset({*BUILT_IN.get(kind, ()), *({COMMANDS} if commands else ())})


class Leasing:
    """Claims and leases of runs, by the time that all control planes on one database agree about."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._files = KeptFiles(core)
        self._began = core.clock.now()
        self.fence = Fencing(core.database).writes

    def claim(self, claim: Claim) -> Run | None:
        """A run for a worker to begin or go on with, at a new attempt; None when nothing waits for it.

        Raises `request.invalid` for a name that is none.
        """
        for name in (claim.worker, claim.queue):
            if not is_name(name):
                raise LinesideError("request.invalid", why=f"{name[:80]!r} is no name for a worker or queue")
        given_up: list[str] = []
        taken: Run | None = None
        with self._core.database.write() as session:
            now = self.now(session)
            while (row := self._offer(session, claim, now)) is not None:
                if row.attempt - row.given_back < MOST_ATTEMPTS:
                    self._take(session, row, claim.worker, now)
                    taken = store.values(session, [row])[0]
                    break
                self._give_up(session, row)
                given_up.append(row.id)
        for run in given_up:
            self._files.forget(run)
        return taken

    def leave(self, leave: Leave) -> None:
        """A worker ends in an orderly way: others may take what it holds at once, and no attempt is spent. The same
        again changes nothing."""
        with self._core.database.write() as session:
            now = rfc3339(self.now(session))
            for held in leave.holding:
                row = store.run_by_id(session, held.run)
                if row is None or row.worker != leave.worker or not _is_at(row, held):
                    continue
                if row.lease_until is not None and row.lease_until > now:
                    row.lease_until = now
                    row.given_back += 1

    def beat(self, beat: Beat) -> BeatAnswer:
        """A worker lives: it keeps what it holds, and hears what it has lost."""
        with self._core.database.read() as session:
            now = self.now(session)
            known = session.get(worker_store.WorkerRow, beat.worker)
            lost, short = self._judged(session, beat, now)
        if not short and known is not None and parse_rfc3339(known.seen_at) > now - _SEEN:
            return BeatAnswer(lost=tuple(lost))
        with self._core.database.write() as session:
            now = self.now(session)
            worker_store.keep_worker(session, beat, rfc3339(now))
            lost, _ = self._judged(session, beat, now)
            for held in beat.holding:
                row = None if held.run in lost else store.run_by_id(session, held.run)
                if row is not None:
                    row.lease_until = rfc3339(now + _LEASE)
        return BeatAnswer(lost=tuple(lost))

    def workers(self) -> list[Worker]:
        """All that were ever seen, by name."""
        with self._core.database.read() as session:
            silent = rfc3339(self.now(session) - _LEASE)
            runs = worker_store.runs_by_worker(session)
            return [row.value(silent, runs.get(row.name, ())) for row in worker_store.workers(session)]

    def waits_for(self, run: Run) -> str | None:
        """Why nobody takes a waiting run; None when somebody will, or it waits no more."""
        if run.state is not RunState.QUEUED:
            return None
        here = [worker for worker in self.workers() if worker.queue == run.request.queue and not worker.away]
        if not here:
            return f"No worker of the queue {run.request.queue} is there."
        wanted = missing = kinds_of((run.request.kind, bool(run.request.steps)))
        for worker in here:
            missing = min(missing, wanted - set(worker.steps), key=len)
        if missing:
            return f"No worker of the queue {run.request.queue} does steps of the kind {', '.join(sorted(missing))}."
        return None

    def now(self, session: Session) -> datetime:
        """The database's time where several machines share it, else this machine's."""
        if not self._core.database.shared:
            return self._core.clock.now()
        now: datetime = session.scalars(select(func.clock_timestamp())).one()
        return now.astimezone(UTC)

    def _offer(self, session: Session, claim: Claim, now: datetime) -> RunRow | None:
        """What a claim gives, see above."""

        def fits(sort: Sort) -> bool:
            return COMMANDS not in kinds_of(sort) if claim.steps is None else kinds_of(sort) <= set(claim.steps)

        holding = {held.run for held in claim.holding}
        for row in worker_store.unfinished_of(session, claim.worker):
            if row.id not in holding and row.queue == claim.queue and fits((row.kind, row.commands)):
                return row
        if self._core.clock.now() - self._began >= _GRACE:
            lapsed = worker_store.first_lapsed(session, claim.queue, rfc3339(now), fits, holding)
            if lapsed is not None:
                return lapsed
        return worker_store.first_queued(session, claim.queue, fits)

    def _take(self, session: Session, row: RunRow, worker: str, now: datetime) -> None:
        before, first = row.worker, row.state == RunState.QUEUED.value
        row.state, row.worker = RunState.RUNNING.value, worker
        row.attempt += 1
        row.lease_until = rfc3339(now + _LEASE)
        session.flush()
        if first:
            self._record(session, row.id, "run.running", f"{worker} works on {row.id}.")
        elif before != worker:
            self._record(session, row.id, "run.taken_over", f"{worker} goes on with {row.id}, which {before} had.")

    def _give_up(self, session: Session, row: RunRow) -> None:
        attempts = row.attempt - row.given_back
        error = LinesideError("run.worker_died", why=f"{attempts} attempts came to no end").report()
        row.state, row.error, row.finished_at = RunState.FAILED.value, error, rfc3339(self._core.clock.now())
        store.skip_rest(session, row.id, "The run was given up.")
        self._record(session, row.id, f"run.{RunState.FAILED.value}", error.message)

    def _judged(self, session: Session, beat: Beat, now: datetime) -> tuple[list[str], bool]:
        """What a worker has lost, and whether a lease of what it has is more than a third used up."""
        lost, short = [], False
        for held in beat.holding:
            row = store.run_by_id(session, held.run)
            if row is None or not _is_at(row, held):
                lost.append(held.run)
            elif row.lease_until is None or parse_rfc3339(row.lease_until) - now < _LEASE * 2 / 3:
                short = True
        return lost, short

    def _record(self, session: Session, run: str, kind: str, message: str) -> None:
        self._core.events.record(session, kind=kind, subject=run, message=message)


def _is_at(row: RunRow, held: Held) -> bool:
    return row.attempt == held.attempt and row.state == RunState.RUNNING.value
