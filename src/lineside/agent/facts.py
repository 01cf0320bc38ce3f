"""Facts about this device, for joining and for reports."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from lineside import __version__
from lineside.agent.platforms import this_platform
from lineside.agent.updating.store import free_bytes


def device_facts(root: Path) -> dict[str, Any]:
    """Operating system, architecture, cores, memory and free disk (bytes), versions."""
    return this_platform() | {
        "cores": os.cpu_count() or 1,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "disk_free_bytes": free_bytes(root),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "agent": __version__,
    }
