"""What components and the agent use: CPU since the last look, resident memory, processes. From /proc, in one pass.

Memory is the sum of resident pages: pages that several processes share are counted for each. CPU is percent of one
core; of a process that came and went between two looks nothing is seen.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from lineside.agent.supervision.processes import all_pids, stat_fields
from lineside.contract.reported import Usage

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Meter:
    """Remembers what it saw last, so that it can say what was used since."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], int] = {}  # CPU ticks by pid and start time
        self._at: float | None = None

    def look(self, pids_of: Mapping[str, Iterable[int]]) -> dict[str, Usage]:
        """What each named group of processes uses; its first look tells of CPU since each process began."""
        now = time.monotonic()
        uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
        seen: dict[tuple[int, int], int] = {}
        found = {}
        for name, pids in pids_of.items():
            percent, pages, count, peak = 0.0, 0, 0, 0
            for pid in pids:
                fields = stat_fields(pid)
                if fields is None:
                    continue
                key, ticks = (pid, int(fields[19])), int(fields[11]) + int(fields[12])
                seen[key] = ticks
                span = uptime - key[1] / _TICKS  # the process's age
                if self._at is not None and key in self._seen:
                    span = now - self._at
                    ticks -= self._seen[key]
                percent += 100.0 * ticks / _TICKS / max(span, 1 / _TICKS)
                pages += int(fields[21])
                peak += peak_of(pid)
                count += 1
            found[name] = Usage(
                cpu_percent=round(percent, 1), memory_bytes=pages * _PAGE, processes=count, peak_bytes=peak
            )
        self._seen, self._at = seen, now
        return found


def peak_of(pid: int) -> int:
    """The most bytes that a process ever had resident (`VmHWM`); 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def by_group() -> dict[int, list[int]]:
    """Every process on the machine, by process group: one pass for all components."""
    found: dict[int, list[int]] = defaultdict(list)
    for pid in all_pids():
        fields = stat_fields(pid)
        if fields is not None:
            found[int(fields[2])].append(pid)
    return found
