"""The power goes at every named point and at random moments: the agent comes back to a known state, always."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from lineside.agent.crash import POINTS
from lineside.agent.updating.store import hash_file
from lineside.contract.reported import ComponentState, Phase
from tests.agent.agents import AgentProcess
from tests.agent.components import archive, artifact, recipe
from tests.agent.control_plane import ControlPlane
from tests.eventually import eventually

_WAIT = 60.0
_ELSEWHERE = ("failure.recorded", "bootstrapped", "component.configured", "uninstalled")
"""Points that a plain update does not pass: see below, test_once.py and test_updates_with_the_bus.py."""
_OF_ITS_IDENTITY = ("instance.", "renewal.")
"""See link/test_instance.py and link/test_renewal.py."""


def _release(plane: ControlPlane, version: str, **lifecycle: str) -> object:
    data = plane.add_blob(version.encode() * 100_000)
    code = plane.add_blob(archive({"main.sh": version.encode()}))
    files = [artifact("data.bin", data), artifact("code.zip", code, Unarchive="ZIP")]
    return plane.release(recipe("app", version, artifacts=files, **lifecycle))


def _first(plane: ControlPlane, agent: AgentProcess) -> int:
    agent.start()
    return plane.want(_release(plane, "1.0.0"))


def _sound(agent: AgentProcess, plane: ControlPlane, version: str) -> None:
    """Everything on disk is what it says, exactly one process runs, and nothing half-made is left."""
    paths = agent.paths
    assert (paths.unarchived("app", version) / "code" / "main.sh").read_bytes() == version.encode()
    for path in (paths.store / "sha256").glob("??/*"):
        assert hash_file(path) == f"sha256:{path.name}"
    assert not list(paths.all_artifacts.glob("*/*.tmp"))
    eventually(lambda: len(agent.children()) == 1)
    sequences = [report.sequence for report in plane.reports]
    assert len(sequences) == len(set(sequences))


def _die(agent: AgentProcess, point: str) -> bool:
    """Run until the point is reached; whether it was."""
    process = agent.start(crash_at=point)
    try:
        return process.wait(_WAIT) == 137
    finally:
        agent.process = process if process.poll() is None else None


def test_killed_at_every_named_point_of_an_update(plane: ControlPlane, agent: AgentProcess) -> None:
    plane.wait_report(_first(plane, agent), Phase.HEALTHY)
    agent.kill()
    points = [name for name in POINTS if name not in _ELSEWHERE and not name.startswith(_OF_ITS_IDENTITY)]
    for number, point in enumerate(points, start=2):
        version = f"{number}.0.0"
        revision = plane.want(_release(plane, version))
        assert _die(agent, point), point
        agent.start()
        report = plane.wait_report(revision, Phase.HEALTHY)
        assert [(one.version, one.state) for one in report.running] == [(version, ComponentState.RUNNING)], point
        _sound(agent, plane, version)
        agent.kill()


def test_killed_while_rolling_back(plane: ControlPlane, agent: AgentProcess) -> None:
    revision = plane.want(_release(plane, "1.0.0"))
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    agent.kill()
    revision = plane.want(_release(plane, "2.0.0", Run="exit 4"))
    assert _die(agent, "failure.recorded")
    agent.start()
    report = plane.wait_report(revision, Phase.ROLLED_BACK)
    assert [one.version for one in report.running] == ["1.0.0"]
    _sound(agent, plane, "1.0.0")


def test_only_the_good_version_and_the_one_before_stay_on_disk(plane: ControlPlane, agent: AgentProcess) -> None:
    agent.start()
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        plane.wait_report(plane.want(_release(plane, version)), Phase.HEALTHY)
    eventually(lambda: not agent.paths.artifacts("app", "1.0.0").exists())
    assert agent.paths.artifacts("app", "2.0.0").exists()
    assert agent.paths.artifacts("app", "3.0.0").exists()


def test_killed_in_every_try_of_a_trial_it_gives_up_and_goes_back(plane: ControlPlane, agent: AgentProcess) -> None:
    revision = plane.want(_release(plane, "1.0.0"))
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    agent.kill()
    revision = plane.want(_release(plane, "2.0.0"))
    for _ in range(5):
        assert _die(agent, "attempt.begun")
    agent.start()
    report = plane.wait_report(revision, Phase.ROLLED_BACK)
    assert report.error is not None
    assert report.error.code == "deploy.interrupted"
    _sound(agent, plane, "1.0.0")


@pytest.mark.slow
def test_killed_at_random_moments(plane: ControlPlane, agent: AgentProcess) -> None:
    moments = random.Random(7)
    plane.want(_release(plane, "1.0.0"))
    for kill in range(8):
        version = f"{kill + 2}.0.0"
        agent.start()
        threading.Event().wait(moments.uniform(0.3, 1.5))
        revision = plane.want(_release(plane, version))
        threading.Event().wait(moments.uniform(0.0, 0.4))
        agent.kill()
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    _sound(agent, plane, version)


def test_children_of_a_killed_agent_are_gone(plane: ControlPlane, agent: AgentProcess, tmp_path: Path) -> None:
    # The grandchild leaves its session, so that only its environment still says whose it is.
    pidfile = tmp_path / "pid"
    run = f"setsid sleep 1000 & echo $! > {pidfile}; exec sleep 1000"
    revision = plane.want(plane.release(recipe("app", Run=run)))
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    agent.kill()
    eventually(lambda: len(agent.children()) == 1)  # the kernel has ended the component, the grandchild lives
    stray = int(pidfile.read_text())
    assert agent.children() == [stray]
    agent.start()
    eventually(lambda: stray not in agent.children() and len(agent.children()) == 2)
    agent.end()
    assert agent.children() == []
