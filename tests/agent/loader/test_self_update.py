"""The agent updates itself over a real control plane: real wheels, real environments, the loader between them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineside import __version__
from lineside.agent.loader import loader
from lineside.contract.reported import Phase
from tests.agent.agents import AgentProcess
from tests.agent.components import recipe
from tests.agent.control_plane import ControlPlane
from tests.agent.loader.updates import release, with_loader, write
from tests.eventually import PATIENCE, eventually


def pointer(agent: AgentProcess) -> dict[str, object]:
    """What the loader will start."""
    return loader.read(str(agent.paths.root / "loader"), "pointer.json")


@pytest.mark.slow
def test_an_agent_is_updated_killed_in_the_middle_and_goes_back_when_it_is_wanted_no_more(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path
) -> None:
    with_loader(agent)
    app = plane.release(recipe())
    revision = plane.want(app)
    process = agent.start()
    report = plane.wait_report(revision, Phase.HEALTHY)
    assert report.facts["agent"] == __version__
    assert agent.status().pid == process.pid  # nothing is on trial: the loader has become the agent

    revision = plane.want(app, release(plane, write(tmp_path, "9.0.0")))
    eventually(lambda: pointer(agent).get("trying"))
    agent.kill()
    agent.start()
    report = plane.wait_report(revision, Phase.HEALTHY, timeout=PATIENCE)
    assert report.facts["agent"] == "9.0.0"
    assert {one.name: one.version for one in report.running} == {"app": "1.0.0", "lineside.agent": "9.0.0"}
    assert not pointer(agent).get("trying")
    agent.end()
    agent.start()
    eventually(lambda: len(agent.children()) == 1 and agent.status().pid)

    revision = plane.want(app)
    report = plane.wait_report(revision, Phase.HEALTHY, timeout=PATIENCE)
    assert report.facts["agent"] == __version__
    assert [one.name for one in report.running] == ["app"]
    assert not pointer(agent).get("good")
