"""Stories of one device: a real agent process, a real control plane over TLS, real components."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from lineside.contract.deployment import ConfigurationUpdate, ResourceLimits, RunWith
from lineside.contract.reported import ComponentState, Phase
from tests.agent.agents import AgentProcess
from tests.agent.components import SLEEPER, archive, artifact, recipe
from tests.agent.control_plane import ControlPlane
from tests.eventually import eventually


def test_a_deployment_becomes_healthy_and_the_next_one_replaces_it(plane: ControlPlane, agent: AgentProcess) -> None:
    model = plane.add_blob(b"m" * 100_000)
    code = plane.add_blob(archive({"pkg/hello.sh": b"echo hello"}))
    files = recipe("tags.model", artifacts=[artifact("model.onnx", model)])
    files["Manifests"][0]["Lifecycle"] = {}
    run = (
        "sh {artifacts:decompressedPath}/code/pkg/hello.sh; test -f {tags.model:artifacts:path}/model.onnx || exit 9; "
    )
    app = recipe(
        "tags.inference",
        artifacts=[artifact("code.zip", code, Unarchive="ZIP")],
        dependencies={"tags.model": ">=1.0.0"},
        configuration={"threads": 0, "topic": ""},
        Run=run + SLEEPER,
        Probe='test "$LINESIDE_MODEL" = tags && echo \'{"golden": "matched", "n": 1}\'',
    )
    revision = plane.want(plane.release(files, "models"), plane.release(app))
    agent.start()
    report = plane.wait_report(revision, Phase.HEALTHY)
    running = {one.name: one for one in report.running}
    assert running["tags.inference"].state is ComponentState.RUNNING
    assert running["tags.inference"].probe == {"golden": "matched", "n": 1}
    assert running["tags.model"].artifacts == {"model.onnx": model}
    assert running["tags.model"].state is ComponentState.FINISHED
    assert agent.configuration("tags.inference") == {"threads": 0, "topic": ""}
    transferred = agent.status().transferred_bytes
    assert transferred > 100_000
    assert report.facts["transferred_bytes"] <= transferred

    newer = plane.add_blob(b"n" * 50_000)
    files["ComponentVersion"] = "2.0.0"
    files["Manifests"][0]["Artifacts"] = [artifact("model.onnx", newer), artifact("previous.onnx", model)]
    revision = plane.want(plane.release(files, "models"), plane.document.components[1])
    report = plane.wait_report(revision, Phase.HEALTHY)
    both = {one.name: one.artifacts for one in report.running}["tags.model"]
    assert both == {"model.onnx": newer, "previous.onnx": model}
    assert {one.name: one.version for one in report.running} == {"tags.model": "2.0.0", "tags.inference": "1.0.0"}
    assert plane.bytes_served[model] == 100_000  # under another name it is the file that was there
    assert plane.bytes_served[code] == len(plane.blobs[code])
    log = agent.paths.log("tags.inference").read_text()
    assert log.count("hello") == 2  # a HARD dependency's new version restarts its dependents


def test_a_change_of_configuration_restarts_only_that_component_and_transfers_nothing(
    plane: ControlPlane, agent: AgentProcess
) -> None:
    one, two = recipe("one", configuration={"a": 1, "b": {"c": 2}}), recipe("two", dependencies={"one": "*"})
    first, second = plane.release(one), plane.release(two)
    revision = plane.want(first, second)
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    before = agent.status().transferred_bytes
    update = ConfigurationUpdate(merge={"b": {"d": 3}})
    revision = plane.want(plane.release(one, update=update), second)
    plane.wait_report(revision, Phase.HEALTHY)
    assert agent.configuration("one") == {"a": 1, "b": {"c": 2, "d": 3}}
    assert agent.paths.log("one").read_text().count("started") == 2
    assert agent.paths.log("two").read_text().count("started") == 1
    assert agent.status().transferred_bytes == before


def test_a_crashing_version_is_rolled_back_to_exactly_what_ran(plane: ControlPlane, agent: AgentProcess) -> None:
    good = plane.release(recipe("app", "1.0.0", configuration={"x": 1}))
    revision = plane.want(good)
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    bad = plane.release(recipe("app", "2.0.0", Run="echo tried; exit 3"), update=ConfigurationUpdate(merge={"x": 2}))
    revision = plane.want(bad)
    report = plane.wait_report(revision, Phase.ROLLED_BACK)
    assert report.error is not None
    assert report.error.code == "component.broken"
    assert "exit status 3" in report.error.message
    assert [(one.version, one.state) for one in report.running] == [("1.0.0", ComponentState.RUNNING)]
    assert agent.configuration("app") == {"x": 1}
    agent.end()
    agent.start()  # the bad revision is remembered: it is not tried again
    tries = plane.served["desired"]
    eventually(lambda: plane.served["desired"] > tries + 3)
    assert agent.status().components[0].version == "1.0.0"
    assert agent.paths.log("app").read_text().count("tried") == 3


@pytest.mark.parametrize(
    ("lifecycle", "code"),
    [
        ({"Run": SLEEPER, "Probe": {"Script": "sleep 1000", "Timeout": 1}}, "component.not_ready"),
        ({"Run": SLEEPER, "Probe": {"Script": "exit 1", "Timeout": 1}}, "component.not_ready"),
        ({"Run": SLEEPER, "Probe": "exit 2"}, "component.probe_failed"),
        ({"Run": SLEEPER, "Probe": 'echo \'{"golden": "mismatched"}\''}, "component.golden_mismatch"),
        ({"Run": "exit 2", "Probe": 'echo \'{"golden": "mismatched"}\'; exit 1'}, "component.golden_mismatch"),
        ({"Run": SLEEPER, "Install": "exit 7"}, "component.install_failed"),
    ],
    ids=["hanging", "never-ready", "exit-2", "golden", "golden-and-gone", "install"],
)
def test_a_version_that_never_gets_ready_is_rolled_back(
    plane: ControlPlane, agent: AgentProcess, lifecycle: dict[str, object], code: str
) -> None:
    revision = plane.want(plane.release(recipe("app", "1.0.0")))
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    revision = plane.want(plane.release(recipe("app", "2.0.0", **lifecycle)))
    report = plane.wait_report(revision, Phase.ROLLED_BACK)
    assert report.error is not None
    assert report.error.code == code
    assert [one.version for one in report.running] == ["1.0.0"]
    eventually(lambda: len(agent.children()) == 1)


def test_run_with_is_rolled_back_too(plane: ControlPlane, agent: AgentProcess) -> None:
    limited = RunWith(system_resource_limits=ResourceLimits(memory=500_000))
    good = msgspec.structs.replace(plane.release(recipe("app", "1.0.0")), run_with=limited)
    revision = plane.want(good)
    agent.start()
    report = plane.wait_report(revision, Phase.HEALTHY)
    held = report.running[0].limits
    assert held
    bad = plane.release(recipe("app", "2.0.0", Run="exit 1"))
    report = plane.wait_report(plane.want(bad), Phase.ROLLED_BACK)
    assert [(one.version, one.limits) for one in report.running] == [("1.0.0", held)]
    free = msgspec.structs.replace(good, run_with=None)
    report = plane.wait_report(plane.want(free), Phase.HEALTHY)
    assert [(one.version, one.limits) for one in report.running] == [("1.0.0", "")]


def test_a_failed_first_deployment_leaves_a_working_agent(plane: ControlPlane, agent: AgentProcess) -> None:
    revision = plane.want(plane.release(recipe("app", "1.0.0", Run="exit 1")))
    agent.start()
    report = plane.wait_report(revision, Phase.FAILED)
    assert report.running == ()
    revision = plane.want(plane.release(recipe("app", "1.0.1")))
    plane.wait_report(revision, Phase.HEALTHY)


def test_do_nothing_leaves_a_failed_version_as_it_is(plane: ControlPlane, agent: AgentProcess) -> None:
    revision = plane.want(plane.release(recipe("app", "1.0.0")))
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    bad = plane.release(recipe("app", "2.0.0", Run="exit 1"))
    revision = plane.want(bad, failure_policy="DO_NOTHING")
    report = plane.wait_report(revision, Phase.FAILED)
    assert [one.version for one in report.running] == ["2.0.0"]
    revision = plane.want(plane.release(recipe("app", "3.0.0")), failure_policy="ROLLBACK")
    plane.wait_report(revision, Phase.HEALTHY)


def test_wanting_nothing_stops_everything_and_sigterm_runs_the_shutdown_steps(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path
) -> None:
    mark = tmp_path / "shut-down"
    app = plane.release(recipe("app", Run=SLEEPER, Shutdown=f"echo bye >> {mark}"))
    revision = plane.want(app)
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    revision = plane.want()
    plane.wait_report(revision, Phase.IDLE)
    assert mark.read_text() == "bye\n"
    assert agent.children() == []
    plane.wait_report(plane.want(app), Phase.HEALTHY)
    assert agent.end() == 0
    assert mark.read_text() == "bye\nbye\n"
    assert agent.children() == []


def test_a_component_that_dies_later_is_started_again(plane: ControlPlane, agent: AgentProcess) -> None:
    revision = plane.want(plane.release(recipe("app")))
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    (pid,) = eventually(agent.children)
    os.kill(pid, 9)
    eventually(lambda: any(one.restarts == 1 for report in plane.reports for one in report.running))
    eventually(lambda: plane.reports[-1].phase is Phase.HEALTHY)


def test_an_agent_without_its_control_plane_runs_what_it_has(plane: ControlPlane, agent: AgentProcess) -> None:
    revision = plane.want(plane.release(recipe("app")))
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    agent.end()
    plane.overloaded = 10**6
    agent.start()
    eventually(agent.children)
    waiting = eventually(lambda: agent.status().reports_waiting)
    assert waiting > 0
    plane.overloaded = 0
    eventually(lambda: agent.status().reports_waiting == 0)
