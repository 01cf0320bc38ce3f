"""What the kernel says about the machine: temperatures, memory, the way to the network.

Read from /proc and /sys; nothing is started. `root` is / but in tests.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

_CELLULAR = ("wwan", "ppp", "rmnet", "usb")


class Temperature(msgspec.Struct, frozen=True):
    """A sensor's reading in °C, and the reading at which the machine is in danger, where it says so."""

    sensor: str
    celsius: float
    critical: float | None = None


def temperatures(root: Path = Path("/")) -> list[Temperature]:
    """Every sensor that gives a believable reading: hwmon, else the kernel's thermal zones; the hottest first."""
    found = [one for chip in sorted(root.glob("sys/class/hwmon/hwmon*")) for one in _of_chip(chip)]
    if not found:
        found = [one for zone in sorted(root.glob("sys/class/thermal/thermal_zone*")) for one in _of_zone(zone)]
    return sorted((one for one in found if -60.0 < one.celsius < 200.0), key=lambda one: -one.celsius)


def _of_chip(chip: Path) -> list[Temperature]:
    name = _text(chip / "name") or chip.name
    found = []
    for reading in sorted(chip.glob("temp*_input")):
        value = _thousandths(reading)
        if value is not None:
            prefix = reading.name.removesuffix("_input")
            label = _text(chip / f"{prefix}_label")
            found.append(Temperature(f"{name} {label}".strip(), value, _thousandths(chip / f"{prefix}_crit")))
    return found


def _of_zone(zone: Path) -> list[Temperature]:
    value = _thousandths(zone / "temp")
    if value is None:
        return []
    critical = None
    for kind in sorted(zone.glob("trip_point_*_type")):
        if _text(kind) == "critical":
            critical = _thousandths(zone / kind.name.replace("_type", "_temp"))
    return [Temperature(_text(zone / "type") or zone.name, value, critical)]


def memory(root: Path = Path("/")) -> tuple[int, int]:
    """Bytes that programs can still get, and all there are; 0, 0 when the kernel does not say."""
    values = {}
    for line in _text(root / "proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        if name in ("MemAvailable", "MemTotal"):
            values[name] = int(rest.split()[0]) * 1024
    return values.get("MemAvailable", 0), values.get("MemTotal", 0)


def interface(root: Path = Path("/")) -> str | None:
    """The network interface of the default route."""
    for line in _text(root / "proc/net/route").splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[1] == fields[7] == "00000000":
            return fields[0]
    for line in _text(root / "proc/net/ipv6_route").splitlines():
        fields = line.split()
        if len(fields) == 10 and fields[0] == "0" * 32 and fields[1] == "00" and fields[9] != "lo":
            return fields[9]
    return None


def link_kind(name: str | None, root: Path = Path("/")) -> str:
    """What an interface is: wifi, cellular, ethernet, other; none without one."""
    if name is None:
        return "none"
    folder = root / "sys/class/net" / name
    if (folder / "wireless").is_dir() or (folder / "phy80211").exists():
        return "wifi"
    if name.startswith(_CELLULAR):
        return "cellular"
    return "ethernet" if _text(folder / "type") == "1" else "other"


def boot_id(root: Path = Path("/")) -> str:
    """A name for the time since the last boot."""
    return _text(root / "proc/sys/kernel/random/boot_id")


def _text(path: Path) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text().strip()
    return ""


def _thousandths(path: Path) -> float | None:
    with contextlib.suppress(ValueError):
        return int(_text(path)) / 1000
    return None
