"""The demo's control plane: started as a process, asked patiently, missed aloud when it goes away."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from lineside.cli.connection import Found, Server, of_root, read_server
from lineside.cli.demo.display import Display
from lineside.cli.demo.processes import Child, Processes
from lineside.cli.demo.root import DemoRoot
from lineside.cli.roots import remember_root
from lineside.cli.up import SERVER, refusal
from lineside.client import Client
from lineside.contract.errors import LinesideError, RemoteError

T = TypeVar("T")

_START = 60.0  # seconds a control plane gets to become ready
_AWAY = 900.0  # seconds it may be away before the demo gives up
_EVERY = 0.4  # seconds between questions
_BRISK = ("--poll-seconds", "5", "--soak-seconds", "3", "--twin-soak-seconds", "1")  # somebody watches


class ControlPlane:
    """Asks the control plane; when nobody answers it says so once and goes on when somebody does."""

    def __init__(self, root: Path, server: Server, child: Child, display: Display) -> None:
        self.root = root
        self.server = server
        self.client = (of_root(root) or Found(url=server.people_url)).client()
        self.log = child.log
        self.tick: Callable[[], None] = lambda: None  # what else wants doing while the demo waits
        self._child = child
        self._display = display
        self._away = 0.0

    @property
    def url(self) -> str:
        return self.server.people_url

    def ask(self, question: Callable[[Client], T]) -> T:
        """The answer to a question that may be asked twice. Raises `demo.control_plane_gone` after 15 minutes."""
        missed: float | None = None
        while True:
            try:
                answer = question(self.client)
            except LinesideError as error:
                if error.code != "client.unreachable":
                    raise
                missed = self._miss(missed)
                self.tick()
                time.sleep(_EVERY)
                continue
            if missed is not None:
                self._away += time.monotonic() - missed
                self._display.say("The control plane answers again; the demo goes on.", "green")
            return answer

    def wait(
        self,
        read: Callable[[Client], T],
        done: Callable[[T], bool],
        *,
        what: str,
        where: str,
        seconds: float,
        moved: Callable[[T], object] | None = None,
    ) -> T:
        """Read again and again until `done`; the reading that was. `moved` sees every reading.

        The deadline is `seconds` without a change in what `moved` answers (without `moved`, or while it answers None:
        since the start); time the control plane was away does not count. Raises `demo.waited_in_vain`.
        """
        began, away, last = time.monotonic(), self._away, None
        while True:
            reading = self.ask(read)
            mark = moved(reading) if moved else None
            if done(reading):
                return reading
            if mark is not None and mark != last:
                began, away, last = time.monotonic(), self._away, mark
            if time.monotonic() - began - (self._away - away) > seconds:
                raise LinesideError("demo.waited_in_vain", what=what, seconds=f"{seconds:.0f}", where=where)
            self.tick()
            time.sleep(_EVERY)

    def _miss(self, since: float | None) -> float:
        now = time.monotonic()
        if since is None:
            ended = self._child.status
            why = "does not answer" if ended is None else f"has ended (status {ended})"
            self._display.say(f"The control plane {why}. Start it again, and the demo goes on:", "yellow")
            self._display.say(f"    lineside up --root {self.root}")
            return now
        if now - since > _AWAY:
            raise LinesideError("demo.control_plane_gone", root=self.root, log=self.log)
        return since


def start_control_plane(root: DemoRoot, port: int | None, processes: Processes, display: Display) -> ControlPlane:
    """Start a control plane on the root and wait until it is ready. Raises `start.failed`."""
    ports = [] if port is None else ["--port", str(port)]
    program = [*SERVER, "--root", str(root.path), *ports, *_BRISK]
    log = root.logs / "control-plane.log"
    written = log.stat().st_size if log.exists() else 0
    child = processes.start("control plane", "control plane", program, log)
    deadline = time.monotonic() + _START
    while True:
        server = read_server(root.path)
        if server is not None and server.pid == child.pid:
            remember_root(root.path)
            return ControlPlane(root.path, server, child, display)
        if child.status is not None:
            raise _here(refusal(read_from(child.log, written), child.log), root.path)
        if time.monotonic() > deadline:
            raise LinesideError(
                "demo.waited_in_vain", what="the control plane to be ready", seconds=f"{_START:.0f}", where=child.log
            )
        time.sleep(0.05)


def _here(error: LinesideError, root: Path) -> LinesideError:
    """What the control plane advises, said of this root: only the pages' port is an option of the demo's own."""
    words = error.next.replace("lineside up --port ", f"lineside demo --root {root} --port ")
    words = words.replace("lineside up --", f"lineside up --root {root} --")
    return RemoteError(msgspec.structs.replace(error.report(), next=words), int(error.kind))


def read_from(log: Path, start: int) -> str:
    """What was written to a log from byte `start` on."""
    with log.open("rb") as stream:
        stream.seek(start)
        return stream.read().decode(errors="replace")


def last_words(log: Path) -> str:
    """The last two lines of a log."""
    lines = [line.strip() for line in read_from(log, 0).splitlines() if line.strip()]
    return " ".join(lines[-2:]) or "it said nothing"
