"""Bootstrap and Uninstall: steps that run once, whatever the restarts between; and components that come along."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineside.contract.recipes.builtin import TOKEN_EXCHANGE
from lineside.contract.reported import Phase
from tests.agent.agents import AgentProcess
from tests.agent.components import recipe
from tests.agent.control_plane import ControlPlane
from tests.eventually import PATIENCE, eventually


def running(plane: ControlPlane, agent: AgentProcess) -> None:
    revision = plane.want(plane.release(recipe("app", "1.0.0")))
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)


def lines(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []


def test_a_bootstrap_step_that_restarts_the_agent_runs_once(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path
) -> None:
    running(plane, agent)
    mark = tmp_path / "mark"
    plane.want(plane.release(recipe("app", "2.0.0", Bootstrap=f"echo boot >> {mark}; exit 100", Run="exec sleep 99")))
    report = plane.wait_report(plane.document.revision, Phase.HEALTHY)
    assert [one.version for one in report.running] == ["2.0.0"]
    assert lines(mark) == ["boot"]
    agent.end()
    agent.start()
    eventually(lambda: len(agent.children()) == 1)
    assert lines(mark) == ["boot"]


def test_a_bootstrap_step_that_restarts_the_device_is_not_forgotten(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebooted = tmp_path / "rebooted"
    monkeypatch.setenv("LINESIDE_REBOOT_COMMAND", f"touch {rebooted}")
    running(plane, agent)
    mark = tmp_path / "mark"
    boot = f"echo boot >> {mark}; exit 101"
    revision = plane.want(plane.release(recipe("app", "2.0.0", Bootstrap=boot, Run="exec sleep 99")))
    assert agent.process is not None
    assert agent.process.wait(PATIENCE) == 0
    assert rebooted.exists()
    assert lines(mark) == ["boot"]
    agent.start()  # the device is up again
    plane.wait_report(revision, Phase.HEALTHY)
    assert lines(mark) == ["boot"]


def test_a_device_that_cannot_be_restarted_goes_back(
    plane: ControlPlane, agent: AgentProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINESIDE_REBOOT_COMMAND", "false")
    running(plane, agent)
    revision = plane.want(plane.release(recipe("app", "2.0.0", Bootstrap="exit 101", Run="exec sleep 99")))
    report = plane.wait_report(revision, Phase.ROLLED_BACK)
    assert report.error is not None
    assert report.error.code == "deploy.reboot_failed"


def test_a_bootstrap_step_that_fails_is_a_failed_trial(plane: ControlPlane, agent: AgentProcess) -> None:
    running(plane, agent)
    revision = plane.want(plane.release(recipe("app", "2.0.0", Bootstrap="exit 3", Run="exec sleep 99")))
    report = plane.wait_report(revision, Phase.ROLLED_BACK)
    assert report.error is not None
    assert report.error.code == "deploy.bootstrap_failed"
    assert [one.version for one in report.running] == ["1.0.0"]


def test_killed_after_a_bootstrap_step_it_is_not_run_again(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path
) -> None:
    running(plane, agent)
    agent.kill()
    mark = tmp_path / "mark"
    boot = recipe("app", "2.0.0", Bootstrap=f"echo boot >> {mark}", Run="exec sleep 99")
    revision = plane.want(plane.release(boot))
    assert agent.start(crash_at="bootstrapped").wait(PATIENCE) == 137
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    assert lines(mark) == ["boot"]


def test_a_component_that_leaves_is_uninstalled_once(plane: ControlPlane, agent: AgentProcess, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    made = recipe("app", Run="exec sleep 99", Uninstall=f'echo "$GREENGRASS_COMPONENT_VERSION" >> {mark}')
    own = plane.release(made)
    revision = plane.want(own)
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    agent.kill()
    gone = plane.want()
    assert agent.start(crash_at="uninstalled").wait(PATIENCE) == 137
    agent.start()
    plane.wait_report(gone, Phase.IDLE)
    eventually(lambda: lines(mark) == ["1.0.0"])
    plane.wait_report(plane.want(own), Phase.HEALTHY)  # and when it comes back and leaves again, again
    plane.wait_report(plane.want(), Phase.IDLE)
    eventually(lambda: lines(mark) == ["1.0.0", "1.0.0"])


def test_a_built_in_component_comes_along_with_what_depends_on_it(plane: ControlPlane, agent: AgentProcess) -> None:
    revision = plane.want(plane.release(recipe("app", dependencies={TOKEN_EXCHANGE: "^2.0.0"})))
    agent.start()
    report = plane.wait_report(revision, Phase.HEALTHY)
    assert {one.name for one in report.running} == {"app", TOKEN_EXCHANGE}
    assert not [path for path in plane.served if "aws" in path and path.startswith("targets")]
