"""Facts about this device, for joining and for reports. Small: a check-in stays below 4 KB."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from functools import cache
from pathlib import Path
from typing import Any

from lineside import __version__
from lineside.agent import labels, machine
from lineside.agent.health import sensors
from lineside.agent.paths import Paths
from lineside.agent.platforms import this_platform
from lineside.agent.supervision.usage import Meter
from lineside.agent.supervision.walls.whole import profile_of, twin_facts
from lineside.agent.updating.store import free_bytes
from lineside.contract.errors import LinesideError
from lineside.contract.facts import ACCELERATORS, LABELS


def device_facts(root: Path) -> dict[str, Any]:
    """Platform, versions, memory and disk (bytes), load, uptime, temperature (°C), link, accelerators, labels, where
    known."""
    available, total = sensors.memory()
    hottest = next(iter(sensors.temperatures()), None)
    found = _constant() | {
        "memory_bytes": total,
        "memory_available_bytes": available,
        "disk_free_bytes": free_bytes(root),
        "load": round(os.getloadavg()[0], 2),
        "uptime_seconds": int(time.clock_gettime(time.CLOCK_BOOTTIME)),
        "link": sensors.link_kind(sensors.interface()),
        "time_zone": machine.time_zone(),
        ACCELERATORS: machine.accelerators(),
        LABELS: labels.load(Paths(root)),
    }
    with contextlib.suppress(LinesideError):
        profile = profile_of(root)
        found |= {"profile": profile.name} if profile is not None else {}
    if hottest is not None:
        found["temperature_celsius"] = round(hottest.celsius, 1)
    return found | twin_facts(root)


@cache
def _constant() -> dict[str, Any]:
    """What stays as it is while the agent runs."""
    return this_platform() | {
        "cores": os.cpu_count() or 1,
        "kernel": platform.release(),
        "model": machine.model(),
        "python": platform.python_version(),
        "agent": __version__,
        "boot_id": sensors.boot_id(),
    }


class OwnUsage:
    """What the agent itself uses, since the last look."""

    def __init__(self) -> None:
        self._meter = Meter()

    def facts(self) -> dict[str, Any]:
        """CPU in percent of one core, resident bytes."""
        used = self._meter.look({"agent": (os.getpid(),)})["agent"]
        return {"agent_cpu_percent": used.cpu_percent, "agent_memory_bytes": used.memory_bytes}
