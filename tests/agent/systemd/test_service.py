"""A real agent under a service manager: it says when it is ready, that it lives, and when it ends."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from lineside.contract.reported import Phase
from tests.agent.agents import AgentProcess
from tests.agent.components import recipe
from tests.agent.control_plane import ControlPlane
from tests.agent.systemd.manager import Manager


def test_an_agent_tells_its_manager_how_it_is(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = Manager(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    seen = tmp_path / "component-environment"
    revision = plane.want(plane.release(recipe(Run=f"env > {seen}; exec sleep 1000")))
    process = agent.start()
    assert manager.hear() == ["READY=1", "STATUS=started", f"MAINPID={process.pid}"]
    plane.wait_report(revision, Phase.HEALTHY)
    manager.await_message([f"STATUS=at revision {revision}"])
    manager.await_message(["WATCHDOG=1"])
    assert "NOTIFY_SOCKET" not in seen.read_text()
    process.send_signal(signal.SIGTERM)
    manager.await_message(["STOPPING=1"])
    assert agent.end() == 0
    manager.close()
