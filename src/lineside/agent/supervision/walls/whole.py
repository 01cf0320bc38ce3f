"""A twin's limits: the whole agent, with all that it starts, has the memory and the processor of another machine.

A control group of its own (version 1 or 2) where one may be made; else rlimits, which hold each process for itself, and
the cores it may run on. What could not be held is said. Called once, before the agent starts a thread.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

import msgspec

from lineside.agent.durable import write_atomically
from lineside.agent.supervision.walls.cgroups import Mount, corner_name, mounts, put, try_put
from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE
from lineside.contract.twin import HELD_FILE, PROFILE_FILE, Held, Profile, read_profile

_PERIOD = 100_000  # microseconds
_MIB = 1 << 20


def profile_of(root: Path) -> Profile | None:
    """The profile that a twin's root names. Raises `twin.profile_invalid`."""
    path = root / PROFILE_FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    return read_profile(data, path)


def begin(root: Path) -> str:
    """Take the limits of the profile that a twin's root names; how they are held, in words, empty without a profile.

    Raises `twin.profile_invalid`.
    """
    profile = profile_of(root)
    return "" if profile is None else hold(root, profile).words


def hold(root: Path, profile: Profile, proc: Path = Path("/proc/self")) -> Held:
    """Put this process under the profile's limits, and note how, for the report and for whoever cleans up."""
    name = f"{corner_name(root)}-twin"
    try:
        there = [mount for mount in mounts(proc) if os.access(mount.own, os.W_OK)]
    except OSError:
        there = []
    kind, directories, memory, cpus = _grouped(there, name, profile)
    words = [kind] if directories else []
    if not memory:
        words.append(_limit_memory(profile))
    if not cpus:
        words.append(_limit_cpus(profile))
    held = Held(words=", ".join(words), directories=tuple(str(one) for one in directories))
    write_atomically(root / HELD_FILE, msgspec.json.encode(held))
    return held


def twin_facts(root: Path) -> dict[str, Any]:
    """The profile a twin runs under, and how its limits are held; nothing on any other device."""
    try:
        profile = profile_of(root)
        held = None if profile is None else msgspec.json.decode((root / HELD_FILE).read_bytes(), type=Held)
    except (OSError, LinesideError, *UNREADABLE):
        return {}
    if profile is None or held is None:
        return {}
    return {"profile": profile.name, "limits": held.words, "profile_values": msgspec.to_builtins(profile)}


def _grouped(there: list[Mount], name: str, profile: Profile) -> tuple[str, list[Path], bool, bool]:
    """Step into a group of one's own: its version, its directories, whether memory and cpus are held there."""
    unified = next((mount for mount in there if mount.version == 2), None)
    if unified is not None and "memory" in unified.controllers:
        directory = _inside(unified.own, name)
        if directory is None:
            return "", [], False, False
        memory = try_put(directory / "memory.max", profile.memory_mib * _MIB)
        try_put(directory / "memory.swap.max", 0)
        cpus = try_put(directory / "cpu.max", f"{_quota(profile)} {_PERIOD}")
        return "cgroup v2", [directory], memory, cpus
    split = {controller: mount.own for mount in there if mount.version == 1 for controller in mount.controllers}
    memory_at = _v1(split.get("memory"), name, {"memory.limit_in_bytes": profile.memory_mib * _MIB})
    cpu_at = _v1(split.get("cpu"), name, {"cpu.cfs_period_us": _PERIOD, "cpu.cfs_quota_us": _quota(profile)})
    found = [one for one in (memory_at, cpu_at) if one is not None]
    return "cgroup v1", found, memory_at is not None, cpu_at is not None


def _v1(own: Path | None, name: str, limits: dict[str, int]) -> Path | None:
    """A group below one controller's, with its limits; None where that is not allowed."""
    if own is None:
        return None
    directory = own if own.name == name else own / name
    try:
        directory.mkdir(exist_ok=True)
        if (directory / "memory.use_hierarchy").exists():
            try_put(directory / "memory.use_hierarchy", 1)
        for file, value in limits.items():
            put(directory / file, value)
        put(directory / "cgroup.procs", 0)
    except OSError:
        return None
    swap = directory / "memory.memsw.limit_in_bytes"
    if swap.exists():
        try_put(swap, limits["memory.limit_in_bytes"])
    return directory


def _inside(own: Path, name: str) -> Path | None:
    """The group of version 2, with controllers, and this process in it; None where that is not allowed.

    A group that has processes cannot hand controllers down, so this works where the agent has a slice of its own.
    """
    directory = own if own.name == name else own / name
    try:
        directory.mkdir(exist_ok=True)
        if directory != own and "memory" not in (directory / "cgroup.controllers").read_text().split():
            put(own / "cgroup.subtree_control", "+memory +cpu")
        put(directory / "cgroup.procs", 0)
    except OSError:
        return None
    return directory


def _quota(profile: Profile) -> int:
    return max(1000, int(profile.cpus * _PERIOD))


def _limit_memory(profile: Profile) -> str:
    limit = profile.memory_mib * _MIB
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    except (OSError, ValueError):
        return "memory not held"
    return "rlimits (memory of each process for itself)"


def _limit_cpus(profile: Profile) -> str:
    cores = sorted(os.sched_getaffinity(0))
    wanted = max(1, int(profile.cpus))
    if wanted >= len(cores):
        return "this machine has no more cores"
    try:
        os.sched_setaffinity(0, cores[:wanted])
    except OSError:
        return "cpus not held"
    return f"cpus held to {wanted} of {len(cores)} cores"
