"""Greengrass V2's lifecycle: which step runs when, and which state that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineside.agent.supervision.processes import StopSignal
from lineside.agent.supervision.scripts import run_once
from lineside.contract.reported import ComponentState
from tests.agent.supervision.stage import SLEEPER, Stage, step

NEW, INSTALLED, STARTING, RUNNING, STOPPING, FINISHED, ERRORED, BROKEN = (
    ComponentState.NEW,
    ComponentState.INSTALLED,
    ComponentState.STARTING,
    ComponentState.RUNNING,
    ComponentState.STOPPING,
    ComponentState.FINISHED,
    ComponentState.ERRORED,
    ComponentState.BROKEN,
)


def test_install_comes_first_and_run_is_running_as_soon_as_it_is_started(stage: Stage) -> None:
    stage.ready(install="echo installing", run=f"echo running; {SLEEPER}")
    assert stage.states() == [NEW, INSTALLED, STARTING, RUNNING]
    stage.wait(lambda: stage.log() == "installing\nrunning\n")


def test_a_run_that_ends_with_0_is_finished_and_ready(stage: Stage) -> None:
    service = stage.start(run="echo done")
    stage.wait(lambda: service.state is FINISHED and service.ready_since)
    assert stage.log() == "done\n"
    assert service.restarts == 0


def test_a_run_that_ends_otherwise_is_errored_recovered_and_broken_the_third_time(stage: Stage) -> None:
    service = stage.start(run="echo run; exit 3", recover="echo recovering")
    stage.wait(lambda: service.state is BROKEN)
    assert [state for state in stage.states() if state in (ERRORED, BROKEN)] == [ERRORED, ERRORED, BROKEN]
    error = service.error
    assert error is not None
    assert error.code == "component.broken"
    assert "failed 3 times in a row, the last time with exit status 3." in error.message
    stage.wait(lambda: stage.log().startswith("run\nrecovering\n" * 3))  # and it goes on trying


def test_a_run_with_a_time_out_is_ended_when_it_is_over(stage: Stage) -> None:
    service = stage.start(run=step(SLEEPER, timeout=0.2))
    stage.wait(lambda: service.error)
    assert service.error is not None
    assert "Run step" in service.error.message
    assert "timed out" in service.error.message


def test_install_runs_once_for_many_starts(stage: Stage) -> None:
    service = stage.start(install="echo install", run="echo run; exit 1")
    stage.wait(lambda: service.restarts >= 2)
    assert stage.log().count("install\n") == 1


def test_a_failed_install_is_tried_again(stage: Stage) -> None:
    service = stage.start(install="echo install; exit 9", run=SLEEPER)
    stage.wait(lambda: service.state is BROKEN)
    assert service.error is not None
    assert service.error.code == "component.install_failed"
    assert stage.log().count("install\n") >= 3
    assert RUNNING not in stage.states()


def test_startup_is_running_at_exit_0_and_what_it_left_behind_lives_until_shutdown(
    stage: Stage, tmp_path: Path
) -> None:
    pidfile = tmp_path / "pid"
    startup = f"sleep 1000 & echo $! > {pidfile}"
    service = stage.ready(startup=startup, shutdown=f"echo bye; test -e /proc/$(cat {pidfile}) && echo still there")
    assert service.state is RUNNING
    assert STARTING in stage.states()
    assert stage.processes("app") == [int(pidfile.read_text())]
    stage.supervisor.stop("app")
    assert stage.log() == "bye\nstill there\n"
    assert stage.processes("app") == []


def test_startup_that_stays_is_starting_until_it_says_running(stage: Stage) -> None:
    service = stage.start(startup=SLEEPER)
    stage.wait(lambda: service.state is STARTING)
    assert service.ready_since is None
    service.report_state(RUNNING)
    stage.wait(lambda: service.state is RUNNING and service.ready_since)
    assert len(stage.processes("app")) == 1


def test_startup_that_says_nothing_in_time_is_errored(stage: Stage) -> None:
    service = stage.start(startup=step(SLEEPER, timeout=0.1))
    stage.wait(lambda: service.state is BROKEN)
    assert service.error is not None
    assert "timed out" in service.error.message


def test_a_component_that_says_errored_is_started_again(stage: Stage) -> None:
    service = stage.ready(run=f"echo run; {SLEEPER}", recover="echo recovering")
    stage.wait(lambda: stage.log() == "run\n")
    service.report_state(ERRORED)
    stage.wait(lambda: service.restarts == 1 and service.ready_since)
    assert ERRORED in stage.states()
    stage.wait(lambda: stage.log() == "run\nrecovering\nrun\n")


def test_a_component_of_files_only_is_finished_at_once(stage: Stage) -> None:
    service = stage.ready(install="echo installed")
    assert service.state is FINISHED


def test_shutdown_runs_before_the_process_is_ended(stage: Stage) -> None:
    stage.ready(
        run="trap 'echo terminated; exit 0' TERM; echo up; while :; do sleep 0.01; done", shutdown="echo shutting down"
    )
    stage.wait(lambda: stage.log() == "up\n")
    stage.supervisor.stop("app")
    assert stage.log().startswith("up\nshutting down\n")
    assert stage.log().endswith("terminated\n")


def test_a_step_has_its_own_environment_over_that_of_the_lifecycle(stage: Stage) -> None:
    stage.ready(install=step('echo "$COLOUR"', setenv={"COLOUR": "blue"}), run=f'echo "[$COLOUR]"; {SLEEPER}')
    stage.wait(lambda: stage.log() == "blue\n[]\n")


@pytest.mark.parametrize(
    ("condition", "skipped"),
    [("exists /", True), ("exists /no/such", False), ("onpath sh", True), ("onpath no-such-program", False)],
)
def test_skipif(stage: Stage, condition: str, skipped: bool) -> None:
    stage.ready(install=step("echo installing", skipif=condition))
    assert stage.log() == ("" if skipped else "installing\n")


def test_a_skipped_run_is_finished(stage: Stage) -> None:
    assert stage.ready(run=step("exit 1", skipif="exists /")).state is FINISHED


def test_an_hour_without_an_error_forgets_them() -> None:
    from lineside.agent.supervision.failures import Failures, Timing

    clock = [0.0]
    failures = Failures(Timing(), lambda: clock[0])
    assert [failures.add(), failures.add()] == [False, False]
    clock[0] = 3601.0
    assert [failures.add(), failures.add(), failures.add()] == [False, False, True]


def test_a_component_that_starts_again_and_again_is_called_a_crash_loop(stage: Stage) -> None:
    service = stage.start(run="exit 3")
    error = stage.wait(
        lambda: service.error if service.error and service.error.code == "component.crash_loop" else None
    )
    assert "exit status 3" in error.message
    assert "10 minutes" in error.message


def test_one_step_without_a_service(stage: Stage, tmp_path: Path) -> None:
    launch = stage.launch(bootstrap="echo booting; sleep 1000 & exit 100", uninstall=step(SLEEPER, timeout=0.1))
    stop = StopSignal()
    assert run_once(launch, "bootstrap", stop).code == 100
    assert stage.processes() == []
    assert run_once(launch, "uninstall", stop).why == "timed out"
    assert run_once(launch, "install", stop).ok  # absent
    assert stage.log() == "booting\n"
    stop.close()
