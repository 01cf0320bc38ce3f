"""Leases: a run is its worker's while that lives, another's after 30 s of silence, and never two workers' at once."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from lineside.client import Client
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.own_step import OwnStep
from lineside.contract.run import CachedStep, Run, RunFinish, RunRequest, RunState, Step, StepReport, StepState
from lineside.contract.worker import MOST_LOG, Beat, Claim, Held, Leave, LogReport
from lineside.server.datasets.service import DatasetsService
from lineside.server.runs.leasing import MOST_ATTEMPTS
from lineside.server.runs.service import RunsService
from lineside.server.runs.store import RunRow
from lineside.server.services import Core
from lineside.server.testing import FakeClock, Running
from tests.server.runs.test_runs import add_dataset, code, training

TRAINS = ("collect", "split", "train", "evaluate", "optimize", "register")


@pytest.fixture
def runs(core: Core, clock: FakeClock) -> RunsService:
    """Of a control plane that has been there for a while."""
    add_dataset(core)
    service = RunsService(core, DatasetsService(core))
    clock.advance(60)
    return service


def taken(runs: RunsService, worker: str = "w1", **fields: object) -> Run:
    run = runs.leasing.claim(Claim(worker=worker, **fields))  # type: ignore[arg-type]
    assert run is not None
    return run


def silence(runs: RunsService, run: Run) -> None:
    """As if its worker had said nothing for longer than a lease lasts."""
    with runs._core.database.write() as session:
        row = runs._row(session, run.id)
        assert row.lease_until is not None
        row.lease_until = "2020-01-01T00:00:00.000Z"


def test_a_silent_workers_run_goes_to_another_and_the_first_is_refused(runs: RunsService, core: Core) -> None:
    runs.start(training())
    first = taken(runs, "w1")
    assert runs.claim("w2") is None
    silence(runs, first)
    second = taken(runs, "w2")
    assert (second.id, second.worker, second.attempt) == (first.id, "w2", 2)
    old, new = f"{first.id} {first.attempt}", f"{second.id} {second.attempt}"
    report = StepReport(step=Step(name="collect", state=StepState.DONE))
    with runs.leasing.fence(old):
        for stale in (
            lambda: runs.report(first.id, report),
            lambda: runs.cache(CachedStep(key="k", outputs={}, run=first.id)),
            lambda: runs.finish(first.id, RunFinish(state=RunState.SUCCEEDED)),
        ):
            with pytest.raises(LinesideError) as caught:
                stale()
            assert code(caught) == "run.lease_lost"
    assert runs.get(first.id) == second
    with runs.leasing.fence(new):
        runs.report(first.id, report)
    assert runs.get(first.id).steps[0].state is StepState.DONE
    with core.database.read() as session:
        kinds = [event.kind for event in core.events.page(session, before=None, kind="run", limit=10).events]
    assert kinds == ["run.taken_over", "run.running", "run.queued"]


def test_after_a_restart_workers_are_heard_before_their_runs_are_given_away(
    runs: RunsService, core: Core, clock: FakeClock
) -> None:
    """While the control plane was away nobody could beat; that is no reason to think them dead."""
    runs.start(training())
    first = taken(runs, "w1")
    silence(runs, first)
    restarted = RunsService(core, DatasetsService(core))
    assert restarted.claim("w2") is None
    assert restarted.leasing.beat(Beat(worker="w1", holding=(Held(first.id, 1),))).lost == ()
    clock.advance(6)
    assert restarted.claim("w2") is None
    silence(restarted, first)
    assert taken(restarted, "w2").attempt == 2


def test_beats_keep_a_run_and_say_what_is_lost(runs: RunsService) -> None:
    runs.start(training())
    first = taken(runs, "w1")
    beat = Beat(worker="w1", holding=(Held(first.id, first.attempt),), steps=TRAINS)
    silence(runs, first)
    assert runs.leasing.beat(beat).lost == ()  # nobody has taken it yet: it is kept
    assert runs.claim("w2") is None
    silence(runs, first)
    taken(runs, "w2")
    assert runs.leasing.beat(beat).lost == (first.id,)
    runs.cancel(first.id)
    again = Beat(worker="w2", holding=(Held(first.id, 2),))
    assert runs.leasing.beat(again).lost == (first.id,)
    assert [(worker.name, worker.away, worker.runs) for worker in runs.leasing.workers()] == [
        ("w1", False, ()),
        ("w2", False, ()),
    ]


def test_a_worker_gets_back_what_it_does_not_hold_any_more_and_nothing_that_it_holds(runs: RunsService) -> None:
    runs.start(training())
    first = taken(runs, "w1")
    assert runs.leasing.claim(Claim(worker="w1", holding=(Held(first.id, 1),))) is None
    silence(runs, first)
    assert runs.leasing.claim(Claim(worker="w1", holding=(Held(first.id, 1),))) is None
    assert taken(runs, "w1").attempt == 2


def test_a_worker_is_not_given_back_what_it_does_not_do_any_more(runs: RunsService) -> None:
    own = OwnStep(name="count", command=("true",))
    run = runs.start(RunRequest(kind="steps", model="own", steps=(own,)))
    told, other = (*TRAINS, "command"), {"queue": "gpu"}
    first = taken(runs, "w1", steps=told)
    assert first.id == run.id
    assert runs.leasing.claim(Claim(worker="w1", steps=TRAINS)) is None
    assert runs.leasing.claim(Claim(worker="w1", steps=told, **other)) is None  # type: ignore[arg-type]
    silence(runs, first)
    assert runs.leasing.claim(Claim(worker="w1", steps=TRAINS)) is None
    assert taken(runs, "w2", steps=told).attempt == 2


def test_queues_are_apart(runs: RunsService) -> None:
    run = runs.start(training(queue="gpu"))
    assert runs.claim("w1") is None
    assert runs.leasing.waits_for(run) == "No worker of the queue gpu is there."
    assert taken(runs, "w2", queue="gpu").id == run.id


def test_a_run_waits_for_a_worker_that_knows_its_steps(runs: RunsService) -> None:
    """Versions of code may differ: what an older worker does not know is left for a newer one."""
    runs.start(training())
    assert runs.leasing.claim(Claim(worker="old", steps=("collect", "split"))) is None
    own = OwnStep(name="count", command=("true",))
    odd = runs.start(RunRequest(kind="steps", model="own", steps=(own,)))
    assert taken(runs, "w1").request.kind == "train"
    assert runs.claim("w2") is None  # commands are for workers that were told they may
    runs.leasing.beat(Beat(worker="w2", steps=TRAINS))
    assert runs.leasing.waits_for(odd) == "No worker of the queue default does steps of the kind command."
    assert taken(runs, "w3", steps=(*TRAINS, "command")).id == odd.id


def test_runs_that_a_worker_does_not_do_hide_none_that_it_does(runs: RunsService) -> None:
    own = OwnStep(name="count", command=("true",))
    request, steps = runs.checked(RunRequest(kind="steps", model="own", steps=(own,)))
    with runs._core.database.write() as session:
        for _ in range(205):
            runs.queue(session, request, steps)
    run = runs.start(training())
    first = taken(runs, "w1")
    assert first.id == run.id
    with runs._core.database.write() as session:  # all of them were taken by a worker that is silent now
        told = {"state": RunState.RUNNING.value, "worker": "told", "lease_until": "2020-01-01T00:00:00.000Z"}
        session.execute(update(RunRow).values(**told))
    assert taken(runs, "w2").id == run.id


def test_a_run_that_ends_every_worker_fails(runs: RunsService) -> None:
    run = runs.start(training())
    for _ in range(MOST_ATTEMPTS):
        taken(runs, "w1")
    assert runs.claim("w1") is None
    failed = runs.get(run.id)
    assert failed.error is not None
    assert (failed.state, failed.error.code) == (RunState.FAILED, "run.worker_died")
    assert f"{MOST_ATTEMPTS} attempts" in failed.error.message


def test_of_a_run_that_was_given_up_nothing_is_left_at_work(runs: RunsService, core: Core) -> None:
    run = runs.start(training())
    for _ in range(MOST_ATTEMPTS):
        last = taken(runs, "w1")
    runs.report(run.id, StepReport(step=Step(name="collect", state=StepState.DONE)))
    runs.report(run.id, StepReport(step=Step(name="split", state=StepState.RUNNING, message="half")))
    attempt = f"{run.id} {last.attempt}"
    runs.leasing._files.keep(run.id, "last.pt", digest_of(b"epoch 1"), attempt, iter([b"epoch 1"]))
    assert core.objects.files.folders() == [run.id]
    assert runs.claim("w1") is None
    states = [step.state for step in runs.get(run.id).steps]
    assert states == [StepState.DONE, *[StepState.SKIPPED] * 5]
    assert core.objects.files.folders() == []


def test_an_attempt_that_a_worker_gave_back_is_not_counted_and_the_run_goes_on_at_once(runs: RunsService) -> None:
    run = runs.start(training())
    for number in range(1, MOST_ATTEMPTS + 5):
        assert taken(runs, "w1").attempt == number
        leave = Leave(worker="w1", holding=(Held(run.id, number),))
        runs.leasing.leave(leave)
        runs.leasing.leave(leave)  # said twice, counted once
    other = taken(runs, "w2")  # without a lease's time of silence
    assert (other.id, other.worker) == (run.id, "w2")
    runs.leasing.leave(leave)  # what w1 says changes nothing any more
    runs.leasing.leave(Leave(worker="w1", holding=(Held(run.id, other.attempt),)))
    assert runs.claim("w3") is None
    silence(runs, other)
    for _ in range(MOST_ATTEMPTS - 1):
        silence(runs, taken(runs, "w1"))
    assert runs.claim("w1") is None
    assert runs.get(run.id).state is RunState.FAILED


def test_a_cancelled_runs_worker_registers_nothing(runs: RunsService) -> None:
    runs.start(training())
    run = taken(runs)
    runs.cancel(run.id)
    with runs.leasing.fence(f"{run.id} 1"), pytest.raises(LinesideError) as caught:
        runs.cache(CachedStep(key="k", outputs={}, run=run.id))
    assert code(caught) == "run.lease_lost"


def test_over_http_the_attempt_travels_in_a_header(lineside: Running) -> None:
    add_dataset(lineside.core)
    people = Client(lineside.people_url)
    people.start_run(training())
    first, second = people.claim_run("w1"), people.claim_run(Claim(worker="w1"))
    assert first is not None
    assert second is not None
    stale, fresh = (Client(lineside.people_url, attempt=f"{run.id} {run.attempt}") for run in (first, second))
    assert stale.beat(Beat(worker="w1", holding=(Held(first.id, 1),))).lost == (first.id,)
    with pytest.raises(LinesideError) as caught:
        stale.report_step(first.id, StepReport(step=Step(name="collect")))
    assert code(caught) == "run.lease_lost"
    fresh.report_step(first.id, StepReport(step=Step(name="collect")))
    assert [worker.name for worker in people.workers()] == ["w1"]


def test_a_steps_log_is_followed_piece_by_piece_and_bounded(lineside: Running) -> None:
    add_dataset(lineside.core)
    client = Client(lineside.people_url)
    run = client.start_run(training())
    client.claim_run("w")
    client.add_log(run.id, LogReport(step="train", part=0, text="one\n"))
    client.add_log(run.id, LogReport(step="train", part=0, text="one\n"))  # sent twice, there once
    client.add_log(run.id, LogReport(step="evaluate", part=0, text="two\x00\n"))
    page = client.run_logs(run.id)
    assert [piece.text for piece in page.pieces] == ["one\n", "two�\n"]
    assert not page.ended
    assert [piece.text for piece in client.run_logs(run.id, step="evaluate").pieces] == ["two�\n"]
    assert client.run_logs(run.id, after=page.after).pieces == ()
    for part in range(1, 20):
        client.add_log(run.id, LogReport(step="train", part=part, text=65536 * "x"))
    said = "".join(piece.text for piece in client.run_logs(run.id, step="train", limit=200).pieces)
    assert len(said) <= MOST_LOG + 60
    assert said.endswith("it was not kept)\n")
    client.finish_run(run.id, RunFinish(state=RunState.SUCCEEDED))
    assert client.run_logs(run.id, after=10**6).ended
