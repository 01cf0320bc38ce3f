"""A newer revision supersedes at any step: nobody waits for what nobody wants any more."""

from __future__ import annotations

from lineside.contract.desired import DesiredComponent
from lineside.contract.reported import ComponentState, Phase
from tests.agent.agents import AgentProcess
from tests.agent.components import SLEEPER, artifact, recipe
from tests.agent.control_plane import ControlPlane
from tests.eventually import PATIENCE, eventually

NEVER_READY = {"Run": SLEEPER, "Probe": {"Script": "exit 1", "Timeout": 300}}


def release(plane: ControlPlane, name: str, version: str, **lifecycle: object) -> DesiredComponent:
    return plane.release(recipe(name, version, **lifecycle))


def healthy(plane: ControlPlane, agent: AgentProcess, *names: str) -> int:
    revision = plane.want(*(release(plane, name, "1.0.0") for name in names))
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    return revision


def test_a_download_that_stands_still_is_given_up_for_a_newer_revision(
    plane: ControlPlane, agent: AgentProcess
) -> None:
    healthy(plane, agent, "app")
    digest = plane.add_blob(b"x" * 200_000)
    plane.stall_after = 1000
    plane.want(plane.release(recipe("app", "2.0.0", artifacts=[artifact("data.bin", digest)])))
    assert plane.stalled.wait(PATIENCE)
    plane.stall_after = None
    report = plane.wait_report(plane.want(release(plane, "app", "3.0.0")), Phase.HEALTHY)
    assert [one.version for one in report.running] == ["3.0.0"]


def test_sigterm_ends_a_download_that_stands_still(plane: ControlPlane, agent: AgentProcess) -> None:
    healthy(plane, agent, "app")
    digest = plane.add_blob(b"x" * 200_000)
    plane.stall_after = 1000
    plane.want(plane.release(recipe("app", "2.0.0", artifacts=[artifact("data.bin", digest)])))
    assert plane.stalled.wait(PATIENCE)
    assert agent.end() == 0
    assert agent.children() == []


def test_a_long_soak_is_not_waited_for(plane: ControlPlane, agent: AgentProcess) -> None:
    healthy(plane, agent, "app")
    slow = plane.want(release(plane, "app", "2.0.0"), soak_seconds=1000.0)
    plane.wait_report(slow, Phase.STARTING)
    eventually(lambda: plane.reports[-1].running and plane.reports[-1].running[0].version == "2.0.0")
    revision = plane.want(release(plane, "app", "3.0.0"), soak_seconds=0.2)
    report = plane.wait_report(revision, Phase.HEALTHY)
    assert [one.version for one in report.running] == ["3.0.0"]


def test_polls_and_reports_go_on_while_a_probe_takes_long(plane: ControlPlane, agent: AgentProcess) -> None:
    plane.want(release(plane, "app", "1.0.0", Run=SLEEPER, Probe={"Script": "sleep 100", "Timeout": 300}))
    agent.start()
    eventually(lambda: plane.reports and plane.reports[-1].phase is Phase.STARTING)
    eventually(lambda: plane.reports[-1].running and plane.reports[-1].running[0].state is ComponentState.STARTING)
    asked = plane.served["desired"]
    eventually(lambda: plane.served["desired"] > asked + 3)


def test_a_trial_that_is_superseded_leaves_no_mixture(plane: ControlPlane, agent: AgentProcess) -> None:
    """One component of the trial was new already, the other not yet, when the next revision came, which fails."""
    healthy(plane, agent, "first", "second")
    half = plane.want(release(plane, "first", "2.0.0"), release(plane, "second", "2.0.0", **NEVER_READY))
    plane.wait_report(half, Phase.STARTING)
    eventually(lambda: {one.version for one in plane.reports[-1].running} == {"2.0.0"})
    bad = plane.want(plane.document.components[0], release(plane, "second", "3.0.0", Run="exit 1"))
    report = plane.wait_report(bad, Phase.ROLLED_BACK)
    assert {one.name: one.version for one in report.running} == {"first": "1.0.0", "second": "1.0.0"}
    assert len(eventually(agent.children)) == 2
    back = plane.want(release(plane, "first", "2.0.0"), release(plane, "second", "4.0.0"))
    report = plane.wait_report(back, Phase.HEALTHY)
    assert {one.name: one.version for one in report.running} == {"first": "2.0.0", "second": "4.0.0"}


def test_a_revision_that_takes_back_what_is_tried_returns_to_what_ran(plane: ControlPlane, agent: AgentProcess) -> None:
    healthy(plane, agent, "app")
    before = plane.document.components
    trial = plane.want(release(plane, "app", "2.0.0", **NEVER_READY))
    plane.wait_report(trial, Phase.STARTING)
    eventually(lambda: [one.version for one in plane.reports[-1].running] == ["2.0.0"])
    report = plane.wait_report(plane.want(*before), Phase.HEALTHY)
    assert [one.version for one in report.running] == ["1.0.0"]
