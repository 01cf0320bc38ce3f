"""Child processes: each in a process group of its own, watched through a pidfd, ended as a group."""

from __future__ import annotations

import contextlib
import enum
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

_CHILD = Path(__file__).with_name("child.py")
MARKER = "LINESIDE_AGENT_ROOT"
"""Environment variable that marks every process an agent starts: its value is the agent's root."""
COMPONENT_MARKER = "LINESIDE_COMPONENT"
"""And the component it was started for."""


class StopSignal:
    """A flag that threads can wait for together with processes; once set, it stays set."""

    def __init__(self) -> None:
        self._handle = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._set = False

    def set(self) -> None:
        """Set it; every wait on it returns."""
        self._set = True
        os.eventfd_write(self._handle, 1)

    def is_set(self) -> bool:
        """Whether it was set."""
        return self._set

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds; whether it was set."""
        select.select([self._handle], [], [], max(0.0, timeout))
        return self._set

    def fileno(self) -> int:
        """For select."""
        return self._handle

    def close(self) -> None:
        """Give the handle back."""
        os.close(self._handle)


class Wake(StopSignal):
    """The same flag, but one that can be cleared and set again."""

    def clear(self) -> None:
        """Unset it."""
        self._set = False
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._handle)


def wait_any(signals: tuple[StopSignal, ...], timeout: float) -> None:
    """Wait until one of them is set, or `timeout` seconds have gone."""
    select.select([one.fileno() for one in signals], [], [], max(0.0, timeout))


class Ended(enum.Enum):
    """Why a wait on a process returned."""

    EXITED = "exited"
    STOPPED = "stopped"  # the stop signal was set
    TIMED_OUT = "timed out"


class Child:
    """A shell script running in its own process group."""

    def __init__(
        self, script: str, environment: Mapping[str, str], directory: Path, output: IO[bytes], errors: IO[bytes]
    ) -> None:
        command = [sys.executable, "-I", "-S", str(_CHILD), str(os.getpid()), script]
        self._process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._pidfd = os.pidfd_open(self.pid)
        self._code: int | None = None

    def wait(self, timeout: float | None, stop: StopSignal) -> Ended:
        """Wait until it exits, `stop` is set, or `timeout` seconds have gone (None: no limit)."""
        if self._code is not None:
            return Ended.EXITED
        ready, _, _ = select.select([self._pidfd, stop.fileno()], [], [], timeout)
        if self._pidfd in ready:
            self._finish()
            return Ended.EXITED
        return Ended.STOPPED if ready else Ended.TIMED_OUT

    @property
    def code(self) -> int | None:
        """Exit status once it has exited; negative for a signal."""
        return self._code

    def end(self, grace: float) -> None:
        """SIGTERM to the group, SIGKILL after `grace` seconds."""
        if self._code is not None:
            return
        self._signal(signal.SIGTERM)
        select.select([self._pidfd], [], [], grace)
        self._signal(signal.SIGKILL)
        select.select([self._pidfd], [], [])
        self._finish()

    def _finish(self) -> None:
        # The leader is a zombie until it is waited for, so its group id cannot belong to anybody else yet.
        self._signal(signal.SIGKILL)
        self._code = self._process.wait()
        os.close(self._pidfd)

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot (proc(5), field 22); None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(text.rpartition(")")[2].split()[19])


def end_process(pid: int, started: int, grace: float) -> bool:
    """End somebody else's process if it is still the one that began at `started`; whether it was there."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        gone = bool(select.select([handle], [], [], 0)[0])  # a zombie that nobody has waited for
        if gone or start_time(pid) != started:
            return False
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
            signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], patience)[0]:
                break
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def marked(root: str, component: str | None = None) -> list[tuple[int, int]]:
    """Pid and start time of every process that an agent on this root has started (for one component), but this one."""
    wanted = {f"{MARKER}={root}".encode()}
    if component is not None:
        wanted.add(f"{COMPONENT_MARKER}={component}".encode())
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            variables = set((entry / "environ").read_bytes().split(b"\0"))
        except OSError:
            continue
        started = start_time(int(entry.name))
        if wanted <= variables and started is not None:
            found.append((int(entry.name), started))
    return found
