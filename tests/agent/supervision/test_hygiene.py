"""Components that misbehave: nothing of them is left, nothing of ours hangs."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import pytest

from lineside.agent.paths import Paths
from lineside.agent.supervision.failures import Failures, Timing
from lineside.agent.supervision.orphans import end_orphans
from lineside.agent.supervision.processes import start_time
from lineside.agent.updating.state import State
from lineside.contract.reported import ComponentState
from tests.agent.supervision.stage import SLEEPER, Stage, step


def test_a_component_that_ignores_sigterm_is_killed_within_the_patience(stage: Stage) -> None:
    stage.ready(run="trap '' TERM; echo up; while :; do sleep 0.05; done")
    stage.wait(lambda: "up" in stage.log())
    began = time.monotonic()
    stage.supervisor.stop("app", 0.3)
    assert time.monotonic() - began < 5.0
    assert stage.processes("app") == []


def test_a_component_that_closes_its_output_lives_on(stage: Stage) -> None:
    service = stage.ready(run=f"exec >&- 2>&-; {SLEEPER}")
    (pid,) = stage.wait(lambda: stage.processes("app"))
    stage.wait(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")
    assert service.state is ComponentState.RUNNING
    assert service.restarts == 0


def test_children_that_outlive_the_main_process_end_with_it(stage: Stage) -> None:
    service = stage.ready(run="sleep 1000 & setsid sleep 1000 & echo $! > pid; wait")
    stage.wait(lambda: len(stage.processes("app")) == 3)
    main = next(
        pid
        for pid in stage.processes("app")
        if os.getpgid(pid) == pid and Path(f"/proc/{pid}/comm").read_text() == "sh\n"
    )
    before = set(stage.processes("app"))
    os.kill(main, signal.SIGKILL)
    stage.wait(lambda: service.restarts == 1 and len(stage.processes("app")) == 3)
    assert not before & set(stage.processes("app"))
    stage.supervisor.stop("app")
    assert stage.processes("app") == []


def test_a_shutdown_step_that_hangs_is_cut_off(stage: Stage) -> None:
    stage.ready(shutdown=step(SLEEPER, timeout=0.2))
    stage.supervisor.stop("app", 5.0)
    assert stage.processes("app") == []


def test_a_recover_step_that_hangs_is_cut_off(stage: Stage) -> None:
    service = stage.start(run="exit 1", recover=step(SLEEPER, timeout=0.1))
    stage.wait(lambda: service.restarts >= 1)


def test_a_work_directory_that_vanishes_is_an_error_and_comes_back(stage: Stage) -> None:
    service = stage.ready(run=f'rm -r "$PWD"; {SLEEPER}')
    work = stage.root / "work" / "app"
    stage.wait(lambda: not work.exists())
    stage.supervisor.by_hand.restart("app")
    stage.wait(lambda: service.restarts == 1)


def test_everything_stops_when_the_agent_does_in_the_other_order(stage: Stage) -> None:
    diary = stage.root / "diary"
    for name in ("one", "two", "three"):
        stage.ready(name, shutdown=f"echo {name} >> {diary}")
    stage.supervisor.stop_all()
    assert diary.read_text().split() == ["three", "two", "one"]
    assert stage.processes() == []


def test_the_back_off_doubles_up_to_its_cap() -> None:
    failures = Failures(Timing(backoff=0.5, backoff_cap=60.0))
    delays = []
    for _ in range(12):
        failures.add()
        delays.append(failures.delay())
    assert delays[:4] == [0.5, 1.0, 2.0, 4.0]
    assert delays[-1] == 60.0


def test_orphans_are_found_by_record_even_without_their_mark(stage: Stage, tmp_path: Path) -> None:
    stray = subprocess.Popen(["/bin/sleep", "1000"], env={}, start_new_session=True)
    state = State(stage._database)
    state.add_process(stray.pid, start_time(stray.pid) or 0, "app")
    state.add_process(os.getpid(), 1, "app")  # somebody else's by now: it began at another time
    assert end_orphans(Paths(tmp_path), state) == 1
    assert stray.wait() == -signal.SIGTERM
    assert state.processes() == []


def test_a_disk_that_refuses_keeps_no_component_from_running(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(State, "add_process", refuse)
    monkeypatch.setattr(State, "drop_process", refuse)
    service = stage.ready()
    stage.wait(lambda: len(stage.processes("app")) == 1)
    stage.supervisor.by_hand.restart("app")
    stage.wait(lambda: service.restarts == 1 and service.ready_since)
    assert ComponentState.ERRORED not in stage.states()


def test_no_thread_and_no_handle_is_left_after_many_starts_and_stops(stage: Stage) -> None:
    def cycle() -> None:
        stage.ready(probe="true", shutdown="true")
        stage.supervisor.stop("app")

    cycle()
    threads, handles = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        cycle()
    assert threading.active_count() <= threads
    assert len(list(Path("/proc/self/fd").iterdir())) <= handles


def test_what_a_thread_does_is_known_and_stuck_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    service = stage.start(install=step(SLEEPER, timeout=1000.0))
    stage.wait(lambda: "Install" in service._standing.activity.what)
    assert stage.supervisor.stuck() == {}
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 1100.0)
    assert stage.supervisor.stuck() == {"app": "runs its Install step"}
