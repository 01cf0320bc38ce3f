"""What kind of machine this is: its accelerators, its model, its time zone.

Read from /dev, /proc, /sys and /etc; nothing is started. `root` is / but in tests.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_ACCELERATORS = {
    "nvidia": "dev/nvidia[0-9]*",
    "jetson": "dev/nvhost-gpu",
    "hailo": "dev/hailo[0-9]*",
    "coral": "dev/apex_[0-9]*",
    "npu": "dev/accel/accel[0-9]*",
}
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")


def accelerators(root: Path = Path("/")) -> dict[str, int]:
    """How many there are of each kind, by their device files."""
    counts = {kind: sum(1 for _ in root.glob(pattern)) for kind, pattern in _ACCELERATORS.items()}
    return {kind: count for kind, count in counts.items() if count}


def model(root: Path = Path("/")) -> str:
    """What the firmware calls the machine: the device tree's name, else the board's; nothing when neither says."""
    for path in ("proc/device-tree/model", "sys/class/dmi/id/product_name"):
        found = _text(root / path).strip("\0 \n")
        if found:
            return found[:80]
    return ""


def time_zone(root: Path = Path("/")) -> str:
    """The IANA name of the machine's time zone, `Europe/Berlin`; nothing when it is not known by name."""
    try:
        link = str((root / "etc/localtime").readlink())
    except OSError:
        link = ""
    told = os.environ.get("TZ", "").removeprefix(":")
    for name in (told, link.partition("zoneinfo/")[2], _text(root / "etc/timezone").strip()):
        if _ZONE.fullmatch(name):
            return name
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
