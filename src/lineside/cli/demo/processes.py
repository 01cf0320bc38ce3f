"""Child processes: started in order, ended in the opposite order, and none left behind.

Each child leads a session of its own, so that a Ctrl-C in the terminal reaches only the demo, which then ends them one
role after the other. A child also ends when the demo is killed (see `lineside.cli.attached`). Grandchildren carry a
mark in their environment, by which whatever a killed child left is found and ended too (Linux, through /proc).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from lineside.cli.attached import attached
from lineside.cli.demo.interrupts import Interrupts

MARK = "LINESIDE_STARTED_BY"
PATIENCE = 15.0  # seconds a child gets to end by itself

_TICK = 0.02


@dataclass
class Child:
    """A running program: who it is, what it plays, where its words go."""

    name: str
    role: str
    program: tuple[str, ...]
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def status(self) -> int | None:
        """Its exit status (negative: the signal that ended it), or None while it runs."""
        return self.process.poll()


class Processes:
    """All child processes of one demo. Leaving the context ends them."""

    def __init__(self, interrupts: Interrupts) -> None:
        self.mark = uuid.uuid4().hex
        self._interrupts = interrupts
        self._children: list[Child] = []

    def start(self, name: str, role: str, program: Sequence[str], log: Path) -> Child:
        """Start a program; its output is added to `log`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            process = subprocess.Popen(
                attached(program),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, MARK: self.mark},
                start_new_session=True,
            )
        child = Child(name, role, tuple(program), log, process)
        self._children.append(child)
        return child

    def run(self, name: str, program: Sequence[str], log: Path, seconds: float) -> int:
        """Run a short program to its end; answers its exit status. Raises TimeoutError."""
        child = self.start(name, "helpers", program, log)
        try:
            return child.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(name) from None
        finally:
            self._end([child])

    def restart(self, child: Child) -> Child:
        """Start an ended child's program once more."""
        self._children.remove(child)
        return self.start(child.name, child.role, child.program, child.log)

    def children(self, role: str) -> list[Child]:
        """All children of a role."""
        return [child for child in self._children if child.role == role]

    def ended(self, role: str) -> list[Child]:
        """Children of a role that are not running any more."""
        return [child for child in self._children if child.role == role and child.status is not None]

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._interrupts.hold()
        self.end()

    def end(self) -> None:
        """End every child, the role that was started last first, then what children left behind."""
        for role in dict.fromkeys(child.role for child in reversed(self._children)):
            self._end([child for child in self._children if child.role == role])
        while left := list(marked(self.mark)):
            for pid in left:
                _signal(pid, signal.SIGKILL)
            time.sleep(_TICK)

    def _end(self, children: list[Child]) -> None:
        for child in children:
            if child.status is None:
                _signal(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while any(child.status is None for child in children) and time.monotonic() < deadline:
            if self._interrupts.hurry:
                break
            time.sleep(_TICK)
        for child in children:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.process.wait()
            self._children.remove(child)


def marked(mark: str) -> Iterator[int]:
    """Processes that were started with this mark in their environment, this one aside."""
    wanted = f"{MARK}={mark}".encode()
    for folder in _process_folders():
        with suppress(OSError):  # it ended meanwhile, or belongs to somebody else
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)


def _process_folders() -> Iterable[Path]:
    own = str(os.getpid())
    proc = Path("/proc")
    return [f for f in proc.iterdir() if f.name.isdecimal() and f.name != own] if proc.is_dir() else []


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
