"""Control groups of version 1: one directory for each controller. The freezer holds the processes together and is
always there; memory and cpu only where a limit is set, pids where the kernel has it."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from lineside.agent.supervision.walls.cgroups import (
    MOST_TASKS,
    kill_each,
    pids_below,
    put,
    remember,
    remove_directory,
    try_put,
)
from lineside.contract.deployment import ResourceLimits

_PERIOD = 100_000  # microseconds


class CornerV1:
    """The agent's directories, by controller."""

    def __init__(self, root: Path, directories: dict[str, Path]) -> None:
        self._root = root
        self._directories = directories
        self._used: set[Path] = set()

    def group(self, component: str, limits: ResourceLimits) -> GroupV1:
        """Make a component's group. Raises `OSError` when that is not allowed."""
        wanted = {"freezer": True, "pids": True, "memory": limits.memory is not None, "cpu": limits.cpus is not None}
        names = [name for name, use in wanted.items() if use and name in self._directories]
        remember(self._root, [self._directories[name] for name in names])
        group = GroupV1({name: self._directories[name] / component for name in names})
        self._used |= {self._directories[name] for name in names}
        group.make(limits)
        return group

    def close(self) -> None:
        """Take the agent's emptied directories away."""
        for directory in self._used:
            with contextlib.suppress(OSError):
                directory.rmdir()


class GroupV1:
    """One component's directories, by controller."""

    kind = "cgroup v1"

    def __init__(self, directories: dict[str, Path]) -> None:
        self._directories = directories
        self.limits_memory = False
        self.limits_cpus = False

    def make(self, limits: ResourceLimits) -> None:
        """Make the directories and set the limits. Raises `OSError`."""
        for directory in self._directories.values():
            directory.mkdir(parents=True, exist_ok=True)
        if "pids" in self._directories:
            try_put(self._directories["pids"] / "pids.max", MOST_TASKS)
        if limits.memory is not None and "memory" in self._directories:
            self.limits_memory = self._limit_memory(self._directories["memory"], limits.memory * 1024)
        if limits.cpus is not None and "cpu" in self._directories:
            quota = max(1000, int(limits.cpus * _PERIOD))
            cpu = self._directories["cpu"]
            self.limits_cpus = try_put(cpu / "cpu.cfs_period_us", _PERIOD) and try_put(cpu / "cpu.cfs_quota_us", quota)

    @staticmethod
    def _limit_memory(directory: Path, limit: int) -> bool:
        swap = directory / "memory.memsw.limit_in_bytes"
        if swap.exists():
            try_put(swap, -1)  # a group from before a crash: swap may never be limited below memory
        if not try_put(directory / "memory.limit_in_bytes", limit):
            return False
        if swap.exists():
            try_put(swap, limit)
        return True

    def entries(self) -> tuple[str, ...]:
        """Files into which a process writes 0 to step in."""
        return tuple(str(path / "cgroup.procs") for path in self._directories.values())

    def pids(self) -> list[int]:
        """Every process in it."""
        return pids_below(self._directories["freezer"])

    def freeze(self) -> None:
        """Stop all of them where they are."""
        put(self._directories["freezer"] / "freezer.state", "FROZEN")

    def thaw(self) -> None:
        """Let them go on."""
        put(self._directories["freezer"] / "freezer.state", "THAWED")

    def kill(self) -> None:
        """End all of them: a frozen process cannot fork, so all that are there get the signal before any goes on."""
        freezer = self._directories["freezer"]
        if not self.pids():
            return
        with contextlib.suppress(OSError):
            self.freeze()
        try:
            _signal_frozen(freezer)
        finally:
            with contextlib.suppress(OSError):
                self.thaw()
        kill_each(freezer)

    def out_of_memory(self) -> int:
        """How many processes were ended because the memory limit was reached."""
        if "memory" not in self._directories:
            return 0
        try:
            lines = (self._directories["memory"] / "memory.oom_control").read_text().splitlines()
        except OSError:
            return 0
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))

    def remove(self) -> None:
        """Take the emptied directories away."""
        for directory in self._directories.values():
            remove_directory(directory)


def _signal_frozen(directory: Path) -> None:
    for pid in pids_below(directory):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
