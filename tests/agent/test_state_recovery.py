"""A real agent whose state is damaged or from the future: what ran runs again, without a network, and it says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lineside.contract.deployment import ConfigurationUpdate
from lineside.contract.reported import Phase
from tests.agent.agents import AgentProcess
from tests.agent.components import archive, artifact, recipe
from tests.agent.control_plane import ControlPlane
from tests.agent.rig import Rig
from tests.agent.test_state_fault_table import newer, unreadable
from tests.eventually import eventually


@pytest.mark.parametrize(("damage", "code"), [(unreadable, "state.unreadable"), (newer, "state.newer_schema")])
def test_what_ran_runs_again_with_no_network(
    plane: ControlPlane, agent: AgentProcess, damage: Callable[[Rig], None], code: str
) -> None:
    data, code_zip = plane.add_blob(b"d" * 100_000), plane.add_blob(archive({"main.sh": b"true"}))
    files = [artifact("data.bin", data), artifact("code.zip", code_zip, Unarchive="ZIP")]
    made = recipe("app", artifacts=files, configuration={"speed": 1})
    revision = plane.want(plane.release(made, update=ConfigurationUpdate(merge={"speed": 4})))
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    agent.kill()
    damage(Rig(agent.paths.root))
    plane.overloaded = 10**6
    agent.start()
    eventually(lambda: len(agent.children()) == 1)
    assert agent.configuration("app") == {"speed": 4}
    plane.overloaded = 0
    eventually(lambda: any(code == one.code for report in plane.reports for one in report.conditions))
    eventually(lambda: plane.reports[-1].phase is Phase.HEALTHY)
    assert plane.bytes_served[data] == 100_000  # nothing is fetched again
    eventually(lambda: agent.paths.log("app").read_text().count("started") == 2)


def test_with_no_copy_either_it_asks_the_control_plane_and_keeps_its_identity(
    plane: ControlPlane, agent: AgentProcess
) -> None:
    data = plane.add_blob(b"d" * 100_000)
    revision = plane.want(plane.release(recipe("app", artifacts=[artifact("data.bin", data)])))
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    agent.kill()
    unreadable(Rig(agent.paths.root))
    (agent.paths.root / "agent.copy.json").unlink()
    before = len(plane.reports)
    agent.start()
    eventually(lambda: any(report.phase is Phase.HEALTHY for report in plane.reports[before:]))
    assert plane.reports[-1].device == "cell-1"
    assert plane.bytes_served[data] == 100_000
