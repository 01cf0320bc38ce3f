"""A control plane and an agent that has joined it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lineside.agent.supervision.walls.cgroups import sweep
from tests.agent.agents import RUNNING, AgentProcess
from tests.agent.control_plane import ControlPlane


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    found = ControlPlane(tmp_path)
    yield found
    found.close()


@pytest.fixture(autouse=True)
def no_agent_left() -> Iterator[None]:
    """A test that fails half-way may leave an agent running, which would trouble the others for the rest of the run."""
    yield
    for process in RUNNING:
        if process.poll() is None:
            process.kill()
            process.wait()
    RUNNING.clear()


@pytest.fixture
def agent(tmp_path: Path, plane: ControlPlane) -> Iterator[AgentProcess]:
    """Joined, not running; killed at the end, and nothing it started may be left."""
    found = AgentProcess(tmp_path / "cell-1", plane)
    found.join()
    yield found
    if found.process is not None:
        found.end()
    sweep(found.paths.root)  # what a killed agent leaves in the cgroup tree, the next one would take away
