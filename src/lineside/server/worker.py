"""The pipeline's worker, a child process: started again when it dies, and never left behind.

It holds the other end of a pipe on its standard input: when this process is gone, however it went, the worker reads the
end of the file and ends too.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import secrets
import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from lineside.contract.errors import LinesideError
from lineside.server.adapters.files import write_atomic

_log = structlog.get_logger("lineside.worker")
_NEEDS = ("torch", "dbos", "onnx", "pycocotools")
_BACKOFF = (1.0, 2.0, 5.0, 15.0, 60.0)  # seconds between starts
_STEADY = 60.0  # a worker that ran this long starts the back-off anew
_PATIENCE = 5.0  # seconds to end by itself


def worker_command(setting: str) -> tuple[str, ...] | None:
    """The worker's program, or None when there shall be none. Raises `start.extra_missing` when [train] is missing."""
    if setting == "off":
        return None
    if setting != "auto":
        return tuple(shlex.split(setting))
    if any(importlib.util.find_spec(name) is None for name in _NEEDS):
        raise LinesideError("start.extra_missing", extra="train")
    return (sys.executable, "-m", "lineside.pipeline", "--parent-stdin")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Where and as whom the worker calls; `ca` is a file of certificates when the address is https, `name` the one
    under which it takes runs."""

    url: str
    token: str = field(repr=False)
    ca: Path | None = None
    name: str = "worker"


def worker_name(root: Path, *, shared: bool) -> str:
    """The name of a root's worker, the same after a restart: runs go on under it, so no two workers on one database
    may have the same."""
    path = root / "worker.name"
    if not shared:
        return "worker"
    if not path.exists():
        write_atomic(path, f"worker-{secrets.token_hex(4)}\n".encode())
    return path.read_text().strip()


class Worker:
    """Keeps one worker process running."""

    def __init__(self, command: Sequence[str], folder: Path, log: Path, log_bytes: int, entry: Entry) -> None:
        self._command = (*command, "--url", entry.url, "--root", str(folder))
        self._environment = os.environ | {"LINESIDE_TOKEN": entry.token}  # a command line is for everybody to see
        self._environment |= {"LINESIDE_WORKER_NAME": entry.name}
        if entry.ca is not None:
            self._environment |= {"LINESIDE_CA": str(entry.ca)}
        self._folder, self._log, self._log_bytes = folder, log, log_bytes
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Start it, and again when it dies, until cancelled; then end it."""
        failures = 0
        try:
            while True:
                began = time.monotonic()
                code = await self._once()
                failures = 0 if time.monotonic() - began > _STEADY else failures + 1
                pause = _BACKOFF[min(failures, len(_BACKOFF) - 1)]
                _log.warning("worker ended", code=code, again_in=pause)
                await asyncio.sleep(pause)
        finally:
            await self._end()

    async def _once(self) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        _put_aside(self._log, self._log_bytes)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,  # Ctrl-C in the terminal is ours to pass on, once
            )
        _log.info("worker started", pid=self._process.pid)
        return await self._process.wait()

    async def _end(self) -> None:
        """The end of its standard input, then SIGTERM, then SIGKILL for it and its children."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        steps: tuple[Callable[[], None], ...] = (process.terminate, self.kill)
        for harder in steps:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _PATIENCE)
                return
            with contextlib.suppress(ProcessLookupError):
                harder()
        await process.wait()

    def kill(self) -> None:
        """End it at once, with the processes it started."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _put_aside(log: Path, limit: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > limit:
            log.replace(log.with_suffix(".log.1"))
