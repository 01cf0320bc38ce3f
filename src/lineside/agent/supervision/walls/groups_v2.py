"""Control groups of version 2: one directory for everything. A group with processes of its own cannot hand controllers
to groups below it, so an agent that was given a group moves itself one level down first (systemd: `Delegate=yes`)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from lineside.agent.supervision.processes import all_pids, stat_fields
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
_WANTED = ("memory", "cpu", "pids")


class CornerV2:
    """The agent's directory; `directory.parent` is the group the agent was started in."""

    def __init__(self, root: Path, directory: Path) -> None:
        self._root = root
        self._directory = directory
        self._ready = False

    def group(self, component: str, limits: ResourceLimits) -> GroupV2:
        """Make a component's group. Raises `OSError` when that is not allowed."""
        if not self._ready:
            remember(self._root, [self._directory])
            self._directory.mkdir(exist_ok=True)
            self._hand_down()
            self._ready = True
        group = GroupV2(self._directory / component)
        group.make(limits)
        return group

    def _hand_down(self) -> None:
        """Let groups below have the controllers, as far as this group has them and may pass them on."""
        above = self._directory.parent
        there = set((above / "cgroup.controllers").read_text().split())
        wanted = [name for name in _WANTED if name in there]
        if not wanted:
            return
        value = " ".join(f"+{name}" for name in wanted)
        if not try_put(above / "cgroup.subtree_control", value) and self._step_down(above):
            try_put(above / "cgroup.subtree_control", value)
        try_put(self._directory / "cgroup.subtree_control", value)

    def _step_down(self, above: Path) -> bool:
        """Move the agent out of the way, with its loader and what it has started, if nobody else is in its group."""
        there = _pids_of(above)
        if set(there) - _own_family():
            return False
        leaf = above / f"{self._directory.name}-agent"
        leaf.mkdir(exist_ok=True)
        return all(try_put(leaf / "cgroup.procs", pid) for pid in there)

    def close(self) -> None:
        """Take the agent's emptied directory away."""
        with contextlib.suppress(OSError):
            self._directory.rmdir()


def _pids_of(directory: Path) -> list[int]:
    """Processes of this very group."""
    return [int(line) for line in (directory / "cgroup.procs").read_text().split()]


def _own_family() -> set[int]:
    """This process, the loader that waits for it, and whatever it has started."""
    own = os.getpid()
    parents = {pid: int(fields[1]) for pid in all_pids() if (fields := stat_fields(pid)) is not None}
    found = {own}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found | ({os.getppid()} if os.environ.get("LINESIDE_LOADER_CHILD") else set())


class GroupV2:
    """One component's directory."""

    kind = "cgroup v2"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.limits_memory = False
        self.limits_cpus = False

    def make(self, limits: ResourceLimits) -> None:
        """Make the directory and set the limits. Raises `OSError`."""
        self._directory.mkdir(exist_ok=True)
        there = set((self._directory / "cgroup.controllers").read_text().split())
        if "pids" in there:
            try_put(self._directory / "pids.max", MOST_TASKS)
        if limits.memory is not None and "memory" in there:
            self.limits_memory = try_put(self._directory / "memory.max", limits.memory * 1024)
            try_put(self._directory / "memory.swap.max", 0)
            try_put(self._directory / "memory.oom.group", 1)  # all or none: half a component is no component
        if limits.cpus is not None and "cpu" in there:
            quota = max(1000, int(limits.cpus * _PERIOD))
            self.limits_cpus = try_put(self._directory / "cpu.max", f"{quota} {_PERIOD}")

    def entries(self) -> tuple[str, ...]:
        """Files into which a process writes 0 to step in."""
        return (str(self._directory / "cgroup.procs"),)

    def pids(self) -> list[int]:
        """Every process in it, however deep."""
        return pids_below(self._directory)

    def freeze(self) -> None:
        """Stop all of them where they are."""
        put(self._directory / "cgroup.freeze", 1)

    def thaw(self) -> None:
        """Let them go on."""
        put(self._directory / "cgroup.freeze", 0)

    def kill(self) -> None:
        """End all of them, at once where the kernel can (Linux 5.14)."""
        whole = self._directory / "cgroup.kill"
        if whole.exists():
            try_put(whole, 1)
        kill_each(self._directory)

    def out_of_memory(self) -> int:
        """How many processes were ended because the memory limit was reached."""
        try:
            lines = (self._directory / "memory.events").read_text().splitlines()
        except OSError:
            return 0
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))

    def remove(self) -> None:
        """Take the emptied directory away."""
        remove_directory(self._directory)
