"""A real agent on a disk that refuses when a test says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.agent.agents import AgentProcess
from tests.agent.control_plane import ControlPlane


class FaultyAgent(AgentProcess):
    """`refuse` lets the disk fail from now on, `relent` ends that."""

    def __init__(self, root: Path, plane: ControlPlane) -> None:
        super().__init__(root, plane)
        self._faults = root.with_suffix(".faults")
        self._journal = root.with_suffix(".journal")

    def start(self, crash_at: str | None = None) -> subprocess.Popen[bytes]:
        """Start the agent; its log goes to <root>.log."""
        environment = os.environ | {
            "LINESIDE_TEST_JOURNAL": str(self._journal),
            "LINESIDE_TEST_FAULTS": str(self._faults),
            "LINESIDE_TEST_PATIENCE": "0.05",
        }
        command = [sys.executable, "-m", "tests.agent.disk.program", "run", "--root", str(self.paths.root)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        return self.process

    @property
    def log(self) -> Path:
        """What the agent prints."""
        return self.paths.root.with_suffix(".log")

    def refuse(self, **fault: Any) -> None:
        """See `tests.agent.disk.faults`."""
        temporary = self._faults.with_suffix(".new")
        temporary.write_text(json.dumps(fault))
        temporary.replace(self._faults)

    def relent(self) -> None:
        """The disk works again."""
        self._faults.unlink()
