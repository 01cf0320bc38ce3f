"""Running one lifecycle step to its end."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import IO

import msgspec

from lineside.agent.supervision.launch import Launch
from lineside.agent.supervision.logs import open_log
from lineside.agent.supervision.processes import Child, Ended, StopSignal
from lineside.contract.recipes.recipe import StepScript

_SKIP = re.compile(r"\s*(exists|onpath)\s+(.+?)\s*")
_TAIL = 1 << 16
GRACE = 5.0
"""Seconds a process has between SIGTERM and SIGKILL."""


class Finished(msgspec.Struct, frozen=True):
    """How a step ended: `code` is its exit status (negative: a signal), None when it was stopped or timed out."""

    ended: Ended
    code: int | None
    output: str = ""

    @property
    def ok(self) -> bool:
        """Whether it exited with 0."""
        return self.code == 0

    @property
    def why(self) -> str:
        """The failure in a few words."""
        return self.ended.value if self.code is None else how(self.code)


def how(code: int) -> str:
    """An exit status in words."""
    return f"exit status {code}" if code >= 0 else f"signal {-code}"


def run_step(launch: Launch, key: str, stop: StopSignal, timeout: float | None = None) -> Finished:
    """Run a lifecycle step of a component within its time-out; a step that is absent or skipped has succeeded."""
    step = launch.lifecycle.get(key)
    if step is None or _skipped(step):
        return Finished(Ended.EXITED, 0)
    limit = timeout if timeout is not None else step.timeout or None
    with open_log(launch.log) as log, tempfile.TemporaryFile() as output:
        keep = key == "probe"
        child = spawn(launch, step, output if keep else log, log)
        ended = child.wait(limit, stop)
        if ended is not Ended.EXITED:
            child.end(0.5 if keep else GRACE)
            return Finished(ended, None)
        return Finished(ended, child.code, _last_line(output) if keep else "")


def spawn(launch: Launch, step: StepScript, output: IO[bytes], errors: IO[bytes]) -> Child:
    """Start a step's script."""
    environment = launch.environment | step.setenv
    return Child(step.script, environment, launch.directory, output, errors)


def _skipped(step: StepScript) -> bool:
    found = _SKIP.fullmatch(step.skipif or "")
    if found is None:
        return False
    condition, subject = found.groups()
    return Path(subject).exists() if condition == "exists" else shutil.which(subject) is not None


def _last_line(output: IO[bytes]) -> str:
    """The last line that is not empty, of at most the last 64 KiB."""
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _TAIL))
    lines = output.read().decode(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "")
