"""What goes by itself, and when: logs 90 days after a run's end, workers 30 days after their last sign of life."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lineside.contract.run import RunFinish, RunState
from lineside.contract.worker import Beat, Claim, LogReport
from lineside.server.clock import rfc3339
from lineside.server.datasets.service import DatasetsService
from lineside.server.runs import tidying, worker_store
from lineside.server.runs.logs import RunLogs
from lineside.server.runs.service import RunsService
from lineside.server.runs.tidying import Tidying
from lineside.server.services import Core
from lineside.server.testing import FakeClock
from tests.server.runs.test_runs import add_dataset, training

DAY = 86400.0


@pytest.fixture
def runs(core: Core) -> RunsService:
    add_dataset(core)
    return RunsService(core, DatasetsService(core))


def begun(runs: RunsService, core: Core, worker: str = "w1") -> str:
    """A run at work that has said something."""
    run = runs.start(training()).id
    assert runs.leasing.claim(Claim(worker=worker)) is not None
    RunLogs(core).add(run, LogReport(step="train", part=0, text="epoch 1\n"))
    return run


def said(core: Core, run: str) -> int:
    return len(RunLogs(core).page(run, None, 0, 100).pieces)


def test_logs_go_90_days_after_a_runs_end_and_the_run_stays(
    runs: RunsService, core: Core, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying, "_RUNS_AT_ONCE", 1)
    old = [begun(runs, core, f"w{number}") for number in range(3)]
    at_work = begun(runs, core, "w9")
    for run in old:
        runs.finish(run, RunFinish(state=RunState.SUCCEEDED))
    clock.advance(89 * DAY)
    Tidying(core, runs.leasing).step()
    assert [said(core, run) for run in (*old, at_work)] == [1, 1, 1, 1]
    newer = runs.start(training()).id
    RunLogs(core).add(newer, LogReport(step="train", part=0, text="epoch 1\n"))
    runs.cancel(newer)
    clock.advance(2 * DAY)
    Tidying(core, runs.leasing).step()
    assert [said(core, run) for run in (*old, at_work, newer)] == [0, 0, 0, 1, 1]
    assert runs.get(old[0]).state is RunState.SUCCEEDED
    assert RunLogs(core).page(old[0], None, 0, 100).ended


def test_workers_go_30_days_after_their_last_sign_of_life_unless_they_have_a_run(runs: RunsService, core: Core) -> None:
    for name in ("gone", "busy", "there"):
        runs.leasing.beat(Beat(worker=name))
    begun(runs, core, "busy")
    with core.database.write() as session:
        now = runs.leasing.now(session)  # PostgreSQL's own time is what workers are seen by
        for row in worker_store.workers(session):
            row.seen_at = rfc3339(now - timedelta(days=29 if row.name == "there" else 31))
    Tidying(core, runs.leasing).step()
    assert [worker.name for worker in runs.leasing.workers()] == ["busy", "there"]
