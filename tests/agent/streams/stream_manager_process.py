"""Real stream manager processes for tests, and AWS's own client, unmodified."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
from stream_manager import StreamManagerClient

from tests.eventually import PATIENCE


class StreamManagerProcess:
    """`python -m lineside.agent.streams` on one root, started and killed as often as a test likes."""

    def __init__(self, root: Path, environment: Mapping[str, str] | None = None, **settings: object) -> None:
        self.root = root
        self.exports = root / "exports"
        self._environment = dict(environment or {})
        self._settings = {"STREAM_MANAGER_AUTHENTICATE_CLIENT": False, "STREAM_MANAGER_SERVER_PORT": 0} | settings
        self.process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self) -> StreamManagerProcess:
        """Start it, and wait until it listens."""
        self.root.mkdir(exist_ok=True)
        (self.root / "config.json").write_bytes(msgspec.json.encode(self._settings))
        environment = os.environ | self._environment
        environment |= {"LINESIDE_CONFIG": str(self.root / "config.json"), "LINESIDE_EXPORTS": str(self.exports)}
        command = [sys.executable, "-m", "lineside.agent.streams"]
        self.process = subprocess.Popen(command, env=environment, cwd=self.root, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        return self

    def client(self, timeout: int = 20) -> StreamManagerClient:
        """AWS's client, connected."""
        return StreamManagerClient(port=self.port, request_timeout=timeout)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def end(self) -> int:
        """SIGTERM; its exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        return code
