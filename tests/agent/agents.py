"""Real agent processes for tests, and waiting for conditions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from lineside.agent.link.join import JoinOptions, join
from lineside.agent.paths import Paths
from lineside.agent.status import Status, status
from lineside.agent.supervision.processes import marked
from tests.agent.control_plane import ControlPlane
from tests.eventually import PATIENCE

RUNNING: list[subprocess.Popen[bytes]] = []
"""Every agent that the present test has started."""


class AgentProcess:
    """`lineside agent run` on one root, started and killed as often as a test likes."""

    def __init__(self, root: Path, plane: ControlPlane) -> None:
        self.paths = Paths(root)
        self.plane = plane
        self.process: subprocess.Popen[bytes] | None = None

    def join(self, *, twin: bool = False, force: bool = False) -> None:
        """Join the test control plane as cell-1."""
        join(
            JoinOptions(
                url=self.plane.url,
                token=self.plane.token,
                ca_sha256=self.plane.ca.sha256,
                name="cell-1",
                twin=twin,
                force=force,
            ),
            self.paths,
        )

    def start(self, crash_at: str | None = None) -> subprocess.Popen[bytes]:
        """Start the agent; its log goes to <root>.log."""
        environment = os.environ | ({"LINESIDE_CRASH_AT": crash_at} if crash_at else {})
        command = [sys.executable, "-m", "lineside.agent", "run", "--root", str(self.paths.root)]
        with self.paths.root.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        RUNNING.append(self.process)
        return self.process

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def end(self, timeout: float = PATIENCE) -> int:
        """SIGTERM, and wait."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout)
        self.process = None
        return code

    def children(self) -> list[int]:
        """Pids of what the agent has started."""
        return [pid for pid, _ in marked(str(self.paths.root))]

    def status(self) -> Status:
        """What `agent status` says."""
        return status(self.paths)

    def configuration(self, name: str) -> dict[str, object]:
        """The configuration a component was started with."""
        found: dict[str, object] = msgspec.json.decode(self.paths.configuration(name).read_bytes())
        return found
