"""Workers that are killed, stopped or left alone by the control plane: the run goes on, and nothing is done twice."""

from __future__ import annotations

import signal
import subprocess

import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.run import RunState, Step, StepState
from lineside.pipeline import main
from tests.eventually import PATIENCE, eventually
from tests.pipeline.conftest import Workplace, states, worker_command


def epochs_to(last: int) -> list[str]:
    return [f"epoch {epoch}" for epoch in range(1, last + 1)]


def hold_at(workplace: Workplace, epoch: int) -> None:
    (workplace.hold / str(epoch)).touch()


def until_held_at(workplace: Workplace, epoch: int) -> None:
    eventually((workplace.hold / f"{epoch}-waits").exists)


def let_go(workplace: Workplace, epoch: int) -> None:
    (workplace.hold / str(epoch)).unlink()


def test_stopped_while_training_it_goes_on_after_the_last_epoch(workplace: Workplace) -> None:
    """Once with SIGTERM, which it obeys at once, and once with SIGKILL."""
    run = workplace.control.start_run(workplace.request(epochs=9))
    stops = {3: (signal.SIGTERM, 0), 6: (signal.SIGKILL, -signal.SIGKILL)}
    for epoch in stops:
        hold_at(workplace, epoch)
    for epoch, (number, status) in stops.items():
        worker = workplace.start_worker()
        until_held_at(workplace, epoch)
        worker.send_signal(number)
        assert worker.wait(PATIENCE) == status
        let_go(workplace, epoch)
    assert workplace.finish(run).state is RunState.SUCCEEDED
    assert workplace.epochs() == epochs_to(9)
    assert {epoch for _, epoch in workplace.control.curves[run.id]} == set(range(1, 10))
    eventually(lambda: not (workplace.root / "worker" / "runs" / run.id).exists())


def test_the_control_plane_may_be_away(workplace: Workplace) -> None:
    """It goes away when training begins; the worker trains on, and reports when it is back."""
    run = workplace.control.start_run(workplace.request(epochs=40))
    hold_at(workplace, 1)
    workplace.start_worker()
    until_held_at(workplace, 1)
    workplace.http.stop()
    let_go(workplace, 1)
    eventually(lambda: len(workplace.epochs()) == 40)
    workplace.http.start()
    done = workplace.finish(run)
    assert (done.state, workplace.started) == (RunState.SUCCEEDED, 1)
    assert {epoch for _, epoch in workplace.control.curves[run.id]} == set(range(1, 41))


def test_a_cancelled_run_stops_between_epochs_and_the_worker_goes_on(workplace: Workplace) -> None:
    run = workplace.control.start_run(workplace.request(epochs=1_000_000, journal=""))

    def cancel(step: Step) -> None:
        if step.name == "train" and step.progress > 0 and workplace.control.run(run.id).state is RunState.RUNNING:
            workplace.control.cancel_run(run.id)

    workplace.http.on_report = cancel
    workplace.finish(run)
    assert workplace.do(workplace.request()).state is RunState.SUCCEEDED
    assert workplace.control.run(run.id).state is RunState.CANCELLED
    assert states(workplace.control.run(run.id))["evaluate"] is StepState.WAITING
    assert workplace.started == 1


def test_a_folder_has_one_worker_and_it_ends_with_its_parent(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = workplace.start_worker()
    eventually((workplace.root / "worker" / "name").exists)
    monkeypatch.setattr(main, "_LOCK_PATIENCE", 0.0)
    with pytest.raises(LinesideError) as caught:
        main.hold(workplace.root / "worker")
    assert (caught.value.code, caught.value.params["pid"]) == ("start.root_in_use", str(worker.pid))
    assert worker.stdin is not None
    worker.stdin.close()
    assert worker.wait(PATIENCE) == 0


def test_without_a_place_to_write_it_says_so() -> None:
    command = [*worker_command("http://127.0.0.1:1"), "--root", "/proc/nowhere"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "The root /proc/nowhere cannot be written. Choose another: --root DIR\n"


def test_two_runs_go_on_at_once_and_one_is_stopped_in_the_middle_of_an_epoch(workplace: Workplace) -> None:
    """The epoch that it is in would last for ever; the other run, and the worker, go on."""
    hold_at(workplace, 2)
    journals = [workplace.root / "first", workplace.root / "second"]
    dataset = workplace.dataset()
    runs = [
        workplace.control.start_run(workplace.request(dataset, journal=str(journal), broken=9 + number))
        for number, journal in enumerate(journals)
    ]
    workplace.start_worker("--slots", "2")
    eventually(lambda: all(journal.exists() for journal in journals))
    until_held_at(workplace, 2)
    workplace.control.cancel_run(runs[0].id)
    eventually(lambda: not (workplace.root / "worker" / "runs" / runs[0].id).exists())
    let_go(workplace, 2)
    assert workplace.finish(runs[1]).state is RunState.SUCCEEDED
    assert [journal.read_text().count("epoch") for journal in journals] == [1, 3]
    assert workplace.control.run(runs[0].id).state is RunState.CANCELLED
    assert workplace.started == 1
