"""How many cores this process may really use."""

from __future__ import annotations

import math
import os
from pathlib import Path

from lineside.runtime.engines.cgroup import MOUNT, OWN, folders


def usable_cores(root: Path = MOUNT, own: Path = OWN) -> int:
    """Cores in this process's affinity, cut by the CPU quotas of its cgroup and of those above (v2 `cpu.max`, v1
    `cpu.cfs_quota_us`)."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [quota for folder in folders("cpu", root, own) if (quota := _quota(folder)) is not None]
    return max(1, min(affinity, *(math.ceil(quota) for quota in quotas)) if quotas else affinity)


def _quota(folder: Path) -> float | None:
    parts = _words(folder / "cpu.max")
    if not parts:
        parts = _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")
    if len(parts) != 2 or not all(part.isdigit() for part in parts) or int(parts[1]) == 0:
        return None  # "max", -1, or no such file: no quota
    return int(parts[0]) / int(parts[1])


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []
