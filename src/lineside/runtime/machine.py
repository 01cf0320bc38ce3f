"""How this process and the machine under it do: memory, CPU, temperature, throttling. From /proc and /sys, where they
are there; what cannot be read is None."""

from __future__ import annotations

import os
import time
from pathlib import Path

from lineside.contract.telemetry import Machine

_ROOT = Path("/")
_FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"  # Raspberry Pi
_TOO_HOT_NOW = 0b1110  # its bits: frequency capped, throttled, soft temperature limit
_HOTTEST = 150.0
"""Degrees beyond which a sensor is not believed."""


class MachineReader:
    """Reads it again and again; percentages are of the time since the reading before."""

    def __init__(self, root: Path = _ROOT) -> None:
        self._root = root
        self._at, self._cpu, self._hot_ms = time.monotonic(), _cpu_seconds(), self._throttled_ms()
        self._page = os.sysconf("SC_PAGE_SIZE")

    def read(self) -> Machine:
        """As it is now."""
        now, cpu, hot_ms = time.monotonic(), _cpu_seconds(), self._throttled_ms()
        seconds = max(now - self._at, 1e-3)
        throttled = None
        if hot_ms is not None and self._hot_ms is not None:
            throttled = round(min(100.0, max(0, hot_ms - self._hot_ms) / seconds / 10), 1)  # a core may go and come
        elif (bits := self._firmware()) is not None:
            throttled = 100.0 if bits & _TOO_HOT_NOW else 0.0
        used = round(100 * (cpu - self._cpu) / seconds, 1)
        self._at, self._cpu, self._hot_ms = now, cpu, hot_ms
        return Machine(
            memory_mb=self._memory(),
            cpu_percent=used,
            temperature_celsius=self._temperature(),
            throttled_percent=throttled,
        )

    def _memory(self) -> float | None:
        words = _text(self._root / "proc/self/statm").split()
        return round(int(words[1]) * self._page / 1e6, 1) if len(words) > 1 and words[1].isdigit() else None

    def _temperature(self) -> float | None:
        zones = (self._root / "sys/class/thermal").glob("thermal_zone*/temp")
        found = [value / 1000 for path in zones if (value := _number(path)) is not None]
        return max((value for value in found if 0 < value < _HOTTEST), default=None)

    def _throttled_ms(self) -> int | None:
        """Of the core that was throttled longest, since the machine started."""
        cores = (self._root / "sys/devices/system/cpu").glob("cpu*/thermal_throttle/core_throttle_total_time_ms")
        return max((value for path in cores if (value := _number(path)) is not None), default=None)

    def _firmware(self) -> int | None:
        try:
            return int(_text(self._root / _FIRMWARE).strip(), 16)
        except ValueError:
            return None


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.removeprefix("-").isdecimal() else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
