"""Components that cannot do without another one follow it down and up; the others do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.reported import ComponentState
from tests.agent.supervision.stage import SLEEPER, Stage


def chain(stage: Stage) -> None:
    """base ◄ middle ◄ top, and one that stands alone; each writes down when it comes and goes."""
    diary = stage.root / "diary"
    diary.touch()
    for name, needs in (("base", ()), ("middle", ("base",)), ("top", ("middle",)), ("alone", ())):
        run = f"echo +{name} >> {diary}; {SLEEPER}"
        probe = f"grep -q +{name} {diary}"
        stage.ready(name, dependencies=needs, run=run, probe=probe, shutdown=f"echo -{name} >> {diary}")
    diary.write_text("")


def diary(stage: Stage) -> list[str]:
    return (stage.root / "diary").read_text().split()


def test_a_restart_by_hand_takes_dependents_down_first_and_up_last(stage: Stage) -> None:
    chain(stage)
    stage.supervisor.by_hand.restart("base")
    stage.wait(lambda: len(diary(stage)) == 6)
    assert diary(stage) == ["-top", "-middle", "-base", "+base", "+middle", "+top"]
    assert stage.service("base").restarts == 1


def test_stopped_by_hand_stays_down_and_its_dependents_wait_until_it_is_restarted(stage: Stage) -> None:
    chain(stage)
    stage.supervisor.by_hand.stop("middle")
    stage.wait(lambda: diary(stage) == ["-top", "-middle"] and stage.service("middle").down.is_set())
    stage.wait(lambda: stage.service("middle").state is ComponentState.FINISHED)
    stage.wait(lambda: stage.service("top").state is ComponentState.INSTALLED)
    error = stage.service("middle").error
    assert error is not None
    assert error.code == "component.stopped_by_hand"
    assert not stage.supervisor.all_ready()
    assert stage.service("base").ready_since is not None
    stage.supervisor.by_hand.restart("middle")
    stage.wait(stage.supervisor.all_ready)
    stage.wait(lambda: diary(stage) == ["-top", "-middle", "+middle", "+top"])


def test_a_deployment_lets_what_was_stopped_by_hand_run_again(stage: Stage) -> None:
    service = stage.ready()
    stage.supervisor.by_hand.stop("app")
    stage.wait(lambda: service.down.is_set() and service.state is ComponentState.FINISHED)
    stage.supervisor.settle(0.01, 15.0)
    assert service.state is ComponentState.RUNNING


def test_dependents_of_a_component_that_breaks_go_down_and_come_back_with_it(stage: Stage, tmp_path: Path) -> None:
    good = tmp_path / "good"
    good.touch()
    base = stage.ready("base", run=f"test -e {good} && {SLEEPER}")
    top = stage.ready("top", dependencies=("base",), run=SLEEPER)
    alone = stage.ready("alone", run=SLEEPER)
    (pid,) = stage.wait(lambda: [pid for pid in stage.processes("base") if name_of(pid) == "sleep"])
    good.unlink()
    os.kill(pid, 9)
    stage.wait(lambda: base.state is ComponentState.BROKEN)
    stage.wait(lambda: top.state is ComponentState.INSTALLED and not stage.processes("top"))
    assert top.error is None
    stage.wait(lambda: ("top", "component.dependency_down") in errors(stage))
    good.touch()
    stage.wait(lambda: base.ready_since and top.ready_since)
    assert alone.restarts == 0


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def errors(stage: Stage) -> set[tuple[str, str]]:
    return {(one.name, one.error.code) for one in stage.supervisor.report() if one.error is not None}


def test_a_component_waits_for_those_it_needs(stage: Stage) -> None:
    base = stage.start("base", startup=SLEEPER)
    top = stage.start("top", dependencies=("base", "not.here"))
    stage.wait(lambda: base.state is ComponentState.STARTING and top.state is ComponentState.INSTALLED)
    assert stage.processes("top") == []
    base.report_state(ComponentState.RUNNING)
    stage.wait(lambda: top.ready_since)


def test_a_planned_replacement_leaves_dependents_alone_unless_the_plan_says_otherwise(stage: Stage) -> None:
    stage.ready("base")
    top = stage.ready("top", dependencies=("base",))
    stage.supervisor.stop("base")
    stage.ready("base", probe="sleep 0.2")
    assert top.restarts == 0
    assert top.ready_since is not None


def test_nobody_waits_long_for_a_component_whose_dependency_is_broken(stage: Stage) -> None:
    base = stage.start("base", run="exit 1")
    stage.wait(lambda: base.state is ComponentState.BROKEN)
    stage.start("top", dependencies=("base",))
    error = stage.supervisor.await_ready("top", 1000.0)
    assert error is not None
    assert error.code == "component.dependency_down"
    assert "base" in error.next


def test_names_that_do_not_run(stage: Stage) -> None:
    hand = stage.supervisor.by_hand
    for act in (hand.restart, hand.stop, hand.pause, hand.resume):
        with pytest.raises(LinesideError, match=r"component\.not_supervised"):
            act("nobody")


def test_many_restarts_at_once_are_few(stage: Stage) -> None:
    service = stage.ready()
    for _ in range(50):
        stage.supervisor.by_hand.restart("app")
    stage.wait(lambda: service.restarts >= 1 and service.ready_since)
    stage.supervisor.by_hand.restart("app")
    stage.wait(lambda: service.restarts >= 2 and service.ready_since)
    assert service.restarts <= 4


def test_walls_that_a_new_configuration_asks_for_are_built_by_a_restart(stage: Stage) -> None:
    service = stage.ready()
    component, _ = stage.supervisor.components()["app"]
    stage.supervisor.reconfigure(component, "app-2", stage.launch())
    assert service.restarts == 0
    stage.supervisor.reconfigure(component, "app-3", stage.launch(sandbox=True))
    stage.wait(lambda: service.restarts == 1 or service.error)
    assert stage.supervisor.running() == {"app": "app-3"}
