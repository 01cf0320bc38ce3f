"""The worker between its beats: what it lets go of, and what it outlives."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from lineside.contract.own_step import OwnStep
from lineside.contract.run import RunFinish, RunRequest, RunState
from lineside.contract.worker import Beat, BeatAnswer, Claim, Held
from lineside.pipeline import worker as worker_module
from lineside.pipeline.entry import Entry, folder_of
from lineside.pipeline.sessions import kill_run
from lineside.pipeline.testing import MemoryControl
from lineside.pipeline.worker import Offer, Worker


class Process:
    """One that runs until it is killed."""

    pid: int | None = None
    exitcode: int | None = None

    def is_alive(self) -> bool:
        return self.exitcode is None

    def close(self) -> None:
        """Nothing is held."""


def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, control: Any) -> tuple[Any, Process]:
    """A worker with attempt 1 of the run R at work, and its process."""

    def kill(process: Process, folder: Path) -> None:
        process.exitcode = -9

    monkeypatch.setattr(worker_module, "kill_run", kill)
    worker: Any = Worker(control, Entry(url="http://nowhere"), tmp_path, Offer(name="w"), threading.Event())
    process = Process()
    worker._at_work["R"] = (process, 1)
    folder_of(tmp_path, "R").mkdir(parents=True)
    return worker, process


class Losing(MemoryControl):
    """Answers every beat with: R is lost; `before` happens while the answer is on its way."""

    def before(self) -> None:
        """Nothing."""

    def beat(self, beat: Beat) -> BeatAnswer:
        self.before()
        return BeatAnswer(lost=("R",))


def test_a_lost_run_is_ended_and_its_folder_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, process = started(tmp_path, monkeypatch, Losing())
    worker._beat()
    worker._reap()
    assert not process.is_alive()
    assert not folder_of(tmp_path, "R").exists()
    assert not worker._lost


def test_a_late_answer_ends_no_newer_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    control, second = Losing(), Process()
    worker, _ = started(tmp_path, monkeypatch, control)
    monkeypatch.setattr(control, "before", lambda: worker._at_work.update(R=(second, 2)))
    worker._beat()
    worker._reap()
    assert second.is_alive()
    assert folder_of(tmp_path, "R").exists()
    assert not worker._lost


def test_the_beats_go_on_after_anything_that_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    control = Losing()
    worker, _ = started(tmp_path, monkeypatch, control)
    monkeypatch.setattr(worker_module, "_BEAT", 0.001)
    beats = 0

    def before() -> None:
        nonlocal beats
        beats += 1
        if beats == 3:
            worker._stop.set()
        raise ValueError("no answer of ours")

    monkeypatch.setattr(control, "before", before)
    worker._beat_often()
    assert beats == 3
    assert "no answer of ours" in caplog.text


def test_told_to_end_it_gives_back_what_is_at_work_and_takes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = MemoryControl()
    run = control.start_run(RunRequest(kind="steps", model="own", steps=(OwnStep(name="s", command=("true",)),)))
    taken = control.claim_run(Claim(worker="w"))
    assert taken is not None
    worker, process = started(tmp_path, monkeypatch, control)
    worker._at_work = {run.id: (process, 1)}
    worker.end()
    assert not process.is_alive()
    assert control.left == [Held(run.id, 1)]
    late = control.claim_run(Claim(worker="w"))  # its answer was on its way
    worker._begin(late)
    assert control.left == [Held(run.id, 1), Held(run.id, 2)]
    worker._beat()  # a sign of life would keep what was given back
    assert set(worker._at_work) == {run.id}


def test_a_start_removes_folders_of_runs_that_it_lost_with_its_power(tmp_path: Path) -> None:
    control = MemoryControl()
    step = OwnStep(name="s", command=("true",))
    mine, lost, ended = (control.start_run(RunRequest(kind="steps", model="own", steps=(step,))) for _ in range(3))
    for worker in ("w", "other", "w"):
        assert control.claim_run(Claim(worker=worker, holding=(Held(mine.id, 1),))) is not None
    control.finish_run(ended.id, RunFinish(state=RunState.SUCCEEDED))
    for name in (mine.id, lost.id, ended.id, "run-of-another-control-plane"):
        (folder_of(tmp_path, name) / "deep").mkdir(parents=True)
    begun = Worker(control, Entry(url="http://nowhere"), tmp_path, Offer(name="w"), threading.Event())
    begun._remove_lost()
    assert [folder.name for folder in (tmp_path / "runs").iterdir()] == [mine.id]


def test_to_kill_what_has_just_ended_is_no_error() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    gone: Any = Process()
    gone.pid = ended.pid
    kill_run(gone, Path("/nowhere/runs/R"))
