"""Which cgroups this machine lets tests make, and fake ones."""

from __future__ import annotations

from pathlib import Path

from lineside.agent.supervision.walls import cgroups
from lineside.agent.supervision.walls.groups_v1 import CornerV1
from lineside.agent.supervision.walls.groups_v2 import CornerV2
from lineside.contract.deployment import ResourceLimits


def _writable(version: int) -> dict[str, Path]:
    try:
        found = [mount for mount in cgroups.mounts() if mount.version == version]
    except OSError:
        return {}
    usable = {}
    for mount in found:
        probe = mount.own / "lineside-probe"
        try:
            probe.mkdir(exist_ok=True)
            probe.rmdir()
        except OSError:
            continue
        usable |= dict.fromkeys(mount.controllers or {""}, mount.own)
    return usable


def real_v1(root: Path) -> CornerV1 | None:
    """The agent's corner in version 1 of this machine."""
    usable = _writable(1)
    name = cgroups.corner_name(root)
    return CornerV1(root, {one: own / name for one, own in usable.items()}) if "freezer" in usable else None


def real_v2(root: Path) -> CornerV2 | None:
    """The agent's corner in version 2 of this machine, with whatever controllers it has."""
    usable = _writable(2)
    return CornerV2(root, next(iter(usable.values())) / cgroups.corner_name(root)) if usable else None


def limits(memory_mib: float | None = None, cpus: float | None = None) -> ResourceLimits:
    """Limits in MiB and cores."""
    return ResourceLimits(memory=None if memory_mib is None else int(memory_mib * 1024), cpus=cpus)


def clean(corner: CornerV1 | CornerV2 | None, root: Path) -> None:
    """Whatever a failed test has left."""
    if corner is not None:
        cgroups.sweep(root)
        corner.close()
