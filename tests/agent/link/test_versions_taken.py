"""What the control plane takes of results is kept where runtimes find it, and is their word while nobody answers. What
it takes of captures, the agent goes by itself."""

from __future__ import annotations

import msgspec

from lineside.contract.reported import Phase
from lineside.runtime.sinks.taken import Taken
from tests.agent.agents import AgentProcess
from tests.agent.captures import kept
from tests.agent.components import recipe
from tests.agent.control_plane import ControlPlane
from tests.eventually import eventually

RUN = 'echo "$LINESIDE_RESULTS_TAKEN" > told; exec sleep 600'


def test_what_the_control_plane_says_reaches_components(plane: ControlPlane, agent: AgentProcess) -> None:
    """`Taken` is the runtime's way of reading it."""
    taken = Taken(agent.paths.results_taken)
    assert taken.versions() == (1,)
    plane.results_taken = "1, 2"
    revision = plane.want(plane.release(recipe("camera", Run=RUN)))
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    told = agent.paths.work("camera") / "told"
    eventually(lambda: told.exists() and told.read_text().strip() == str(agent.paths.results_taken))
    assert taken.versions() == (1, 2)
    plane.results_taken = "2, 3"
    eventually(lambda: taken.versions() == (2, 3))
    plane.results_taken = ""  # it went back to a release that says nothing
    eventually(lambda: taken.versions() == (1,))
    assert agent.end() == 0
    assert msgspec.json.decode(agent.paths.results_taken.read_bytes()) == [1]


def test_captures_wait_and_the_control_plane_hears_why(plane: ControlPlane, agent: AgentProcess) -> None:
    def told() -> set[str]:
        return {one.code for one in plane.reports[-1].conditions} if plane.reports else set()

    plane.captures_taken = "2"
    record = kept(agent.paths.captures, "a", b"one")
    plane.want()
    agent.start()
    eventually(lambda: "capture.no_common_version" in told())
    assert plane.captures == {}
    plane.captures_taken = "1, 2"
    eventually(lambda: plane.uploaded == {"a": b"one"} and "capture.no_common_version" not in told())
    assert plane.captures == {"a": record}
    assert agent.end() == 0
    assert list(agent.paths.captures.iterdir()) == []


def test_a_file_that_cannot_be_read_changes_nothing(plane: ControlPlane, agent: AgentProcess) -> None:
    file = agent.paths.results_taken
    taken = Taken(file)
    file.write_text("[1, 2]")
    assert taken.versions() == (1, 2)
    for nonsense in ("", "{", '"2"', '["2"]'):
        file.with_suffix(".new").write_text(nonsense)
        file.with_suffix(".new").replace(file)
        assert taken.versions() == (1, 2)
    file.unlink()
    assert taken.versions() == (1,)
