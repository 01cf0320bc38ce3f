"""The same in a real agent: what a deployment's `runWith` does, what reports say, what the log holds."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest

from lineside.agent.supervision.walls.cgroups import find_corner
from lineside.contract.deployment import ResourceLimits, RunWith
from lineside.contract.reported import ComponentState, Phase
from tests.agent.agents import AgentProcess
from tests.agent.components import SLEEPER, recipe
from tests.agent.control_plane import ControlPlane
from tests.eventually import eventually

HUNGRY = "exec tail -n 1 /dev/zero"


def test_limits_are_held_and_reported_with_usage_and_the_agents_log_is_json(
    plane: ControlPlane, agent: AgentProcess
) -> None:
    limits = RunWith(system_resource_limits=ResourceLimits(memory=65536))
    good = msgspec.structs.replace(plane.release(recipe("app", Run=SLEEPER)), run_with=limits)
    agent.start()
    report = plane.wait_report(plane.want(good), Phase.HEALTHY)
    (one,) = report.running
    assert one.limits in ("cgroup v1", "cgroup v2", "rlimits")
    assert one.usage is not None
    assert one.usage.processes >= 1
    lines = [json.loads(line) for line in agent.paths.agent_log.read_text().splitlines()]
    assert {"at", "level", "from", "message"} <= set(lines[0])
    hungry = msgspec.structs.replace(plane.release(recipe("app", "2.0.0", Run=HUNGRY)), run_with=limits)
    if one.limits == "rlimits":
        return
    report = plane.wait_report(plane.want(hungry, soak_seconds=10.0), Phase.ROLLED_BACK)
    assert report.error is not None
    assert report.error.code == "component.out_of_memory"
    assert [(one.version, one.state) for one in report.running] == [("1.0.0", ComponentState.RUNNING)]


def test_a_user_that_the_device_does_not_have_is_rolled_back(plane: ControlPlane, agent: AgentProcess) -> None:
    agent.start()
    app = plane.release(recipe("app"))
    plane.wait_report(plane.want(app), Phase.HEALTHY)
    stranger = msgspec.structs.replace(app, run_with=RunWith(posix_user="no-such-user"))
    report = plane.wait_report(plane.want(stranger), Phase.ROLLED_BACK)
    assert report.error is not None
    assert report.error.code == "component.user_unknown"
    assert [one.state for one in report.running] == [ComponentState.RUNNING]


def test_what_escaped_everything_is_swept_after_a_kill(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path
) -> None:
    if find_corner(agent.paths.root) is None:
        pytest.skip("no cgroup may be made here")
    pidfile = tmp_path / "pid"
    run = f"env -i setsid sh -c 'echo $$ > {pidfile}; exec sleep 1000' & exec sleep 1000"
    agent.start()
    plane.wait_report(plane.want(plane.release(recipe("app", Run=run))), Phase.HEALTHY)
    stray = int(eventually(pidfile.read_text))
    agent.kill()
    os.kill(stray, 0)  # nobody knows it any more but the kernel
    agent.start()
    eventually(lambda: int(pidfile.read_text() or stray) != stray)
    assert not Path(f"/proc/{stray}/exe").exists()
