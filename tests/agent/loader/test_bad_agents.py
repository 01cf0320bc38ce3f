"""Agents that crash, hang or cannot reach the control plane: the agent before runs again, and says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineside import __version__
from lineside.contract.reported import ComponentState, Phase
from tests.agent.agents import AgentProcess
from tests.agent.components import recipe
from tests.agent.control_plane import ControlPlane
from tests.agent.loader.updates import CANNOT_REACH, CRASHES, HANGS, release, with_loader, write
from tests.agent.local.devices import Device
from tests.eventually import PATIENCE, eventually


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "whole", "seconds", "why"),
    [
        (CRASHES, False, 60, "it ended 3 times before it was ready"),
        (HANGS, False, 1, "it was not ready in 1 s"),
        (CANNOT_REACH, True, 4, "it was not ready in 4 s"),
    ],
    ids=["crashes", "hangs", "cannot-reach"],
)
def test_the_agent_before_runs_again_and_says_why(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path, program: bytes, whole: bool, seconds: int, why: str
) -> None:
    with_loader(agent)
    app = plane.release(recipe())
    revision = plane.want(app)
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    bad = release(plane, write(tmp_path, "9.0.0", program, whole=whole), confirmSeconds=seconds)
    revision = plane.want(app, bad)
    report = plane.wait_report(revision, Phase.ROLLED_BACK, timeout=PATIENCE)
    assert report.error is not None
    assert (report.error.code, report.error.params["why"]) == ("agent.update_failed", why)
    assert report.facts["agent"] == __version__
    assert [(one.name, one.state) for one in report.running] == [("app", ComponentState.RUNNING)]
    polls = plane.served["desired"]
    eventually(lambda: plane.served["desired"] > polls + 3)
    assert agent.status().trying_revision is None  # it is not tried again
    assert len(agent.children()) == 1


@pytest.mark.slow
def test_a_control_plane_that_was_away_before_is_not_asked_for(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_loader(agent)
    plane.overloaded = 1_000_000
    device = Device(agent, capsys)
    agent.start()
    made = write(tmp_path, "9.0.0", CANNOT_REACH)
    words = ("--recipe", made, "--artifacts", made.parent / "artifacts", "--wait", PATIENCE)
    assert device.command("deploy", *words)["status"] == "SUCCEEDED"
    assert device.versions() == {"lineside.agent": "9.0.0"}


def test_without_the_loader_an_agent_says_that_it_cannot_change_itself(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path
) -> None:
    agent.start()
    revision = plane.want(release(plane, write(tmp_path, "9.0.0", CRASHES, whole=False)))
    report = plane.wait_report(revision, Phase.FAILED)
    assert report.error is not None
    assert report.error.code == "agent.update_unsupported"
