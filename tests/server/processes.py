"""The control plane as a real process, on a root and ports of the test's own."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import msgspec

from lineside.server.testing import until
from tests.eventually import PATIENCE

# A worker as small as can be: says who it is, and ends with its parent.
WORKER = """
import os, pathlib, signal, sys
if "stubborn" in sys.argv: signal.signal(signal.SIGTERM, signal.SIG_IGN)
root = pathlib.Path(sys.argv[sys.argv.index("--root") + 1])
(root / "name").write_text(os.environ["LINESIDE_WORKER_NAME"])
(root / "pid.new").write_text(str(os.getpid()))
(root / "pid.new").rename(root / "pid")
if "short" in sys.argv: sys.exit(3)
while sys.stdin.read(1): pass
while "stubborn" in sys.argv: signal.pause()
"""


def worker(*words: str) -> str:
    """The value of --worker that runs it."""
    return shlex.join([sys.executable, "-c", WORKER, *words])


class ControlPlaneProcess:
    """`python -m lineside.server` in a context: entered when ready, ended hard when left."""

    def __init__(self, root: Path, *arguments: str, worker: str = "off", prefix: tuple[str, ...] = ()) -> None:
        program = [sys.executable, "-m", "lineside.server", "--root", str(root), "--worker", worker]
        self.root = root
        self.process = subprocess.Popen(
            [*prefix, *program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_environment(),
        )

    def __enter__(self) -> ControlPlaneProcess:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith(("ready http://127.0.0.1:", "ready https://127.0.0.1:")):
            raise RuntimeError(f"not ready: {line} {self.process.communicate()}")
        self.found: dict[str, Any] = msgspec.json.decode((self.root / "server.json").read_bytes())
        self.url = line.split()[1]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        pid = self.root / "worker" / "pid"
        if pid.exists() and alive(int(pid.read_text())):
            os.kill(int(pid.read_text()), signal.SIGKILL)

    def refused(self) -> tuple[int, str]:
        """Exit status and standard error of one that does not start."""
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors

    @property
    def local(self) -> dict[str, str]:
        """Headers that say: whoever can read the root."""
        return {"Authorization": f"Bearer {(self.root / 'keys' / 'local.token').read_text().strip()}"}

    def get(self, path: str) -> Any:
        """GET below /api/v1, as JSON."""
        return httpx.get(f"{self.url}/api/v1{path}", headers=self.local).json()

    def post(self, path: str, body: Any = None) -> Any:
        """POST below /api/v1, as JSON."""
        return httpx.post(f"{self.url}/api/v1{path}", json=body, headers=self.local).json()

    def worker_pid(self) -> int:
        """The worker's process number, once it has said it."""
        path = self.root / "worker" / "pid"
        until(path.exists)
        return int(path.read_text())

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LINESIDE_")}
    return kept | {"PYTHONWARNINGS": "error"}
