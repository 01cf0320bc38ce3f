"""Control groups: what holds a component's processes together, counts them, freezes them and ends them all.

    Corner  this agent's own directory in the cgroup tree, below the group the agent was started in
    Group   one component's directory in it; a process cannot leave it, nor can what it starts

Version 2 is used when it can limit memory, else version 1, else version 2 only to hold processes together; none when
nothing may be written. `groups_v1.py` and `groups_v2.py` say how each does it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import time
from pathlib import Path
from typing import Protocol

import msgspec

from lineside.agent.durable import write_atomically
from lineside.contract.deployment import ResourceLimits
from lineside.contract.reading import UNREADABLE

MOST_TASKS = 2048
"""Processes and threads one component may have, where the kernel can hold it to that: a fork bomb stops there."""
RECORD = "cgroups.json"
"""Below the agent's root: directories in the cgroup tree that are the agent's, so that the next one can sweep them."""
_PATIENCE = 5.0


class Mount(msgspec.Struct, frozen=True):
    """A mounted cgroup hierarchy: `own` is the directory of the group this process is in."""

    version: int
    controllers: frozenset[str]
    own: Path


class Group(Protocol):
    """One component's processes."""

    kind: str  # "cgroup v1" or "cgroup v2"
    limits_memory: bool
    limits_cpus: bool

    def entries(self) -> tuple[str, ...]:
        """Files into which a process writes 0 to step in."""
        ...

    def pids(self) -> list[int]:
        """Every process in it, however deep."""
        ...

    def freeze(self) -> None:
        """Stop all of them where they are."""
        ...

    def thaw(self) -> None:
        """Let them go on."""
        ...

    def kill(self) -> None:
        """End all of them, also those that fork meanwhile."""
        ...

    def out_of_memory(self) -> int:
        """How many processes were ended because the memory limit was reached."""
        ...

    def remove(self) -> None:
        """Take the emptied directory away."""
        ...


class Corner(Protocol):
    """This agent's directory."""

    def group(self, component: str, limits: ResourceLimits) -> Group:
        """Make a component's group. Raises `OSError` when that is not allowed."""
        ...

    def close(self) -> None:
        """Take the agent's emptied directory away."""
        ...


def mounts(proc: Path = Path("/proc/self")) -> list[Mount]:
    """The cgroup hierarchies that are mounted here, and where this process is in each (cgroups(7))."""
    own: dict[str, str] = {}
    for line in (proc / "cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        own |= dict.fromkeys(names.split(","), path)
    found = []
    for line in (proc / "mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind not in ("cgroup", "cgroup2"):
            continue
        root, point = before.split()[3:5]
        controllers = frozenset(options.split(",")) & set(own) if kind == "cgroup" else frozenset()
        path = own.get(next(iter(controllers), ""), "/")
        inside = path[len(root) :] if root != "/" and path.startswith(root) else path
        directory = Path(point) / inside.strip("/")
        directory = directory if directory.is_dir() else Path(point)
        if kind == "cgroup2":
            controllers = frozenset((directory / "cgroup.controllers").read_text().split())
        found.append(Mount(1 if kind == "cgroup" else 2, controllers, directory))
    return found


def find_corner(root: Path, proc: Path = Path("/proc/self")) -> Corner | None:
    """The agent's own directory in the cgroup tree, or None where it may not have one."""
    from lineside.agent.supervision.walls.groups_v1 import CornerV1
    from lineside.agent.supervision.walls.groups_v2 import CornerV2

    try:
        there = [mount for mount in mounts(proc) if os.access(mount.own, os.W_OK)]
    except OSError:
        return None
    unified = next((mount for mount in there if mount.version == 2), None)
    split = {name: mount.own for mount in there if mount.version == 1 for name in mount.controllers}
    name = corner_name(root)
    if unified is not None and "memory" in unified.controllers:
        return CornerV2(root, unified.own / name)
    if "freezer" in split:
        return CornerV1(root, {controller: own / name for controller, own in split.items()})
    return None if unified is None else CornerV2(root, unified.own / name)


def corner_name(root: Path) -> str:
    """What an agent's directory is called: other agents on this machine have other roots."""
    return f"lineside-{hashlib.sha256(str(root).encode()).hexdigest()[:12]}"


# --- what both versions do the same way -------------------------------------------------------------------------------


def put(path: Path, value: object) -> None:
    """Write one value into a control file. Raises `OSError`."""
    path.write_text(f"{value}\n")


def try_put(path: Path, value: object) -> bool:
    """The same, where it may be refused; whether it was taken."""
    try:
        put(path, value)
    except OSError:
        return False
    return True


def pids_below(directory: Path) -> list[int]:
    """Processes of a group and of the groups below it."""
    found: set[int] = set()
    for path in (directory, *_below(directory)):
        with contextlib.suppress(OSError):
            found |= {int(line) for line in (path / "cgroup.procs").read_text().split()}
    return sorted(found)


def _below(directory: Path) -> list[Path]:
    """Groups inside a group, deepest first."""
    return [Path(path) for path, _, _ in os.walk(directory, topdown=False) if path != str(directory)]


def kill_each(directory: Path) -> None:
    """SIGKILL to every process below, again and again until none is left (or five seconds are over)."""
    until = time.monotonic() + _PATIENCE
    while (pids := pids_below(directory)) and time.monotonic() < until:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def remove_directory(directory: Path) -> None:
    """Remove a group with the groups inside it; the kernel may need a moment after the last process has gone."""
    until = time.monotonic() + _PATIENCE
    for path in (*_below(directory), directory):
        while path.is_dir():
            try:
                path.rmdir()
            except OSError:
                if time.monotonic() > until:
                    return
                time.sleep(0.01)


def remember(root: Path, directories: list[Path]) -> None:
    """Note which directories are the agent's before the first process steps into one."""
    known = _recorded(root)
    wanted = sorted({*known, *map(str, directories)})
    if wanted != known:
        write_atomically(root / RECORD, msgspec.json.encode(wanted))


def sweep(root: Path) -> int:
    """End what an earlier agent on this root left in its groups, and remove them; how many processes there were."""
    directories = [Path(path) for path in _recorded(root) if Path(path).name == corner_name(root)]
    ended = 0
    for directory in directories:
        if not (directory / "cgroup.procs").exists():
            continue
        for group in [path for path in directory.iterdir() if path.is_dir()]:
            ended += len(pids_below(group))
            _thaw_any(group)
            kill_each(group)
        remove_directory(directory)
    (root / RECORD).unlink(missing_ok=True)
    return ended


def _thaw_any(directory: Path) -> None:
    """A frozen process of version 1 dies only when it thaws."""
    for name, value in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
        if (directory / name).exists():
            try_put(directory / name, value)


def _recorded(root: Path) -> list[str]:
    try:
        return msgspec.json.decode((root / RECORD).read_bytes(), type=list[str])
    except (OSError, *UNREADABLE):
        return []
