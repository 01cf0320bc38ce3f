"""Child processes: each in a process group of its own, watched through a pidfd, ended as a group."""

from __future__ import annotations

import contextlib
import enum
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from lineside.agent.supervision.walls.confinement import FREE, Confinement

_CHILD = Path(__file__).with_name("child.py")
MARKER = "LINESIDE_AGENT_ROOT"
"""Environment variable that marks every process an agent starts: its value is the agent's root."""
COMPONENT_MARKER = "LINESIDE_COMPONENT"
"""And the component it was started for."""

UNKILLABLE = 10.0
"""Seconds after SIGKILL until a process is given up."""


class Interrupt(Protocol):
    """What breaks off a wait: `fileno` becomes readable when `is_set` may have become true."""

    def is_set(self) -> bool:
        """Whether to break off."""
        ...

    def fileno(self) -> int:
        """For select."""
        ...


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
    """A shell script running in its own process group.

    What it left in that group ends with it, unless `keep_group` (a Startup step may leave its service behind).
    """

    def __init__(
        self,
        script: str,
        environment: Mapping[str, str],
        directory: Path,
        output: int,
        errors: int,
        confinement: Confinement = FREE,
        *,
        keep_group: bool = False,
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_CHILD), str(os.getpid()), *confinement.arguments(), script],
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self.began = time.monotonic()
        self._pidfd = os.pidfd_open(self.pid)
        self._shielded = bool(confinement.wrapper)
        self._keep_group = keep_group
        self._code: int | None = None

    def wait(self, timeout: float | None, stop: Interrupt) -> Ended:
        """Wait until it exits, `stop` is set, or `timeout` seconds have gone (None: no limit)."""
        until = None if timeout is None else time.monotonic() + timeout
        while self._code is None:
            if stop.is_set():
                return Ended.STOPPED
            left = None if until is None else max(0.0, until - time.monotonic())
            ready, _, _ = select.select([self._pidfd, stop.fileno()], [], [], left)
            if self._pidfd in ready:
                self._finish()
            elif not ready:
                return Ended.TIMED_OUT
        return Ended.EXITED

    @property
    def code(self) -> int | None:
        """Exit status once it has exited; negative for a signal."""
        return self._code

    def end(self, grace: float) -> None:
        """SIGTERM to the group, SIGKILL after `grace` seconds."""
        if self._code is not None:
            return
        self._ask_to_end(grace)
        self._keep_group = False
        self._signal(signal.SIGKILL)
        if select.select([self._pidfd], [], [], UNKILLABLE)[0]:
            self._finish()
        else:  # the kernel holds it in a driver or on a dead network disk: leave it there rather than wait for ever
            self._code = -signal.SIGKILL
            os.close(self._pidfd)

    def send(self, number: signal.Signals) -> None:
        """Signal the whole group while its leader lives."""
        if self._code is None:
            self._signal(number)

    def _ask_to_end(self, grace: float) -> None:
        """SIGTERM, and `grace` seconds of waiting. A sandbox's own process would end the component at once if it heard
        it, so only those inside do, and those who are still on their way there."""
        if not self._shielded:
            self._signal(signal.SIGTERM)
            select.select([self._pidfd], [], [], max(0.0, grace))
            return
        until = time.monotonic() + grace
        asked: set[int] = set()
        while (left := until - time.monotonic()) > 0 and not select.select([self._pidfd], [], [], min(left, 0.05))[0]:
            for pid in {*group_members(self.pid)} - asked - {self.pid}:
                asked.add(pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)

    def _finish(self) -> None:
        # The leader is a zombie until it is waited for, so its group id cannot belong to anybody else yet.
        if not self._keep_group:
            self._signal(signal.SIGKILL)
        self._code = self._process.wait()
        os.close(self._pidfd)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third on (proc(5)): state, parent, group, …; None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot (proc(5), field 22); None when it is gone."""
    fields = stat_fields(pid)
    return None if fields is None else int(fields[19])


def all_pids() -> list[int]:
    """Every process there is."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def group_members(group: int) -> list[int]:
    """The processes of a process group."""
    return [pid for pid in all_pids() if (fields := stat_fields(pid)) is not None and int(fields[2]) == group]


def end_processes(processes: Iterable[tuple[int, int]], grace: float) -> int:
    """SIGTERM to all that are still the ones that began then, SIGKILL after `grace` seconds; how many there were."""
    handles = [handle for pid, started in processes if (handle := _hold(pid, started)) is not None]
    try:
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
            for handle in handles:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, number)
            _await_gone(handles, patience)
    finally:
        for handle in handles:
            os.close(handle)
    return len(handles)


def _hold(pid: int, started: int) -> int | None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    gone = bool(select.select([handle], [], [], 0)[0])  # a zombie that nobody has waited for
    if gone or start_time(pid) != started:
        os.close(handle)
        return None
    return handle


def _await_gone(handles: list[int], patience: float) -> None:
    until = time.monotonic() + patience
    left = set(handles)
    while left and (remaining := until - time.monotonic()) > 0:
        left -= set(select.select(list(left), [], [], remaining)[0])


def marked(root: str, component: str | None = None) -> list[tuple[int, int]]:
    """Pid and start time of every process that an agent on this root has started (for one component), but this one."""
    wanted = {f"{MARKER}={root}".encode()}
    if component is not None:
        wanted.add(f"{COMPONENT_MARKER}={component}".encode())
    found = []
    for pid in all_pids():
        if pid == os.getpid():
            continue
        try:
            variables = set(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
        except OSError:
            continue
        started = start_time(pid)
        if wanted <= variables and started is not None:
            found.append((pid, started))
    return found
