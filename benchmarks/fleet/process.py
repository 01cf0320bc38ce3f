"""A server as a process of its own, and what the kernel says of it: CPU seconds and resident memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

_TICK = os.sysconf("SC_CLK_TCK")


def allow_many_files() -> None:
    """Ten thousand connections are ten thousand open files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Server:
    """A program that prints a line when it is ready; ended when the context is left."""

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self._log = log

    def __enter__(self) -> Server:
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise SystemExit(f"the server did not start: {self._log.read_text()[-2000:]}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    def cpu_seconds(self) -> float:
        """Of all its threads, in user and kernel mode."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def rss_mb(self) -> float:
        """Resident memory in MB (10^6 bytes)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024 / 1e6

    def written_bytes(self) -> int:
        """Bytes it has caused to be written to disks."""
        return int(Path(f"/proc/{self.pid}/io").read_text().partition("\nwrite_bytes:")[2].split()[0])
