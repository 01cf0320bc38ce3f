"""A program that a step runs: in its own process group, its output line by line, ended when its time is over."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lineside.contract.errors import LinesideError

_MOST_LINE = 8 << 10
_SHOWN = 3  # last lines in the error
_PASSING = 75  # EX_TEMPFAIL of sysexits.h: try again
_LAST_WORDS = 5.0  # seconds for output that is still on its way


@dataclass(frozen=True, kw_only=True)
class Command:
    """What is run, where, with which environment, for how many seconds at most."""

    step: str
    words: list[str]
    folder: Path
    environment: dict[str, str]
    seconds: float
    clean: Callable[[], None] = lambda: None  # ends what it has put elsewhere


def run_command(command: Command, say: Callable[[str], None]) -> None:
    """Run it to its end. Raises `run.command_failed`, `run.command_passing`."""
    try:
        process = subprocess.Popen(
            command.words,
            cwd=command.folder,
            env=command.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,  # of this session still, which is ended with the run
        )
    except (OSError, ValueError) as why:
        raise LinesideError("run.command_failed", step=command.step, why=f"it cannot be started: {why}") from why
    assert process.stdout is not None
    last: deque[str] = deque(maxlen=_SHOWN)
    reader = threading.Thread(target=_read, args=(process.stdout, say, last), name=command.step, daemon=True)
    reader.start()
    try:
        status = process.wait(command.seconds)
    except subprocess.TimeoutExpired:
        raise LinesideError(
            "run.command_failed", step=command.step, why=f"it took longer than {command.seconds:g} s"
        ) from None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # whatever it left behind, too
        command.clean()
        process.wait()
        reader.join(_LAST_WORDS)
    if status:
        how = f"status {status}" if status > 0 else f"signal {-status}"
        said = f"it ended with {how}" + (f": {' / '.join(last)}" if last else "")
        code = "run.command_passing" if status == _PASSING else "run.command_failed"
        raise LinesideError(code, step=command.step, why=said)


def _read(stream: IO[bytes], say: Callable[[str], None], last: deque[str]) -> None:
    with stream:
        while line := stream.readline(_MOST_LINE):
            text = line.decode(errors="replace").rstrip("\r\n")
            say(text)
            if text.strip():
                last.append(text.strip()[:200])
