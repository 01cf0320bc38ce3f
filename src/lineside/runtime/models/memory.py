"""Memory: what this process may have, what it has, and about how much a model will take."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import NamedTuple

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.runtime.engines.cgroup import MOUNT, OWN, folders

MB = 1_000_000
_PROC = Path("/proc")
_FILES = ("memory.max", "memory.limit_in_bytes")  # version 2, version 1
_IN_USE = ("memory.current", "memory.usage_in_bytes")
_CACHE = ("inactive_file ", "total_inactive_file ")
_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h
_OF_FILE, _OF_INPUT = 1.5, 13.0  # times; of ONNX Runtime on YOLOX-Nano and the benchmarks' detectors, rounded up


class Memory(NamedTuple):
    """Bytes: what may be used, what is, and whose word the limit is."""

    limit: int
    used: int
    source: str  # "memory_mb", "cgroup", "machine"

    @property
    def free(self) -> int:
        return max(0, self.limit - self.used)


def resident(proc: Path = _PROC) -> int:
    """Bytes of this process in memory; 0 where /proc does not say."""
    try:
        return int((proc / "self" / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def memory(memory_mb: int | None = None, mount: Path = MOUNT, own: Path = OWN, proc: Path = _PROC) -> Memory:
    """The budget with the least room: of configuration (this process's memory), of a cgroup (all that is in it, but
    for files that can be dropped), of the machine."""
    budgets = [] if memory_mb is None else [Memory(memory_mb * MB, resident(proc), "memory_mb")]
    for folder in folders("memory", mount, own):
        limit = next((found for name in _FILES if (found := _number(folder / name)) is not None), None)
        used = next((found for name in _IN_USE if (found := _number(folder / name)) is not None), None)
        if limit is not None and used is not None:
            budgets.append(Memory(limit, max(0, used - _droppable(folder)), "cgroup"))
    facts = _machine(proc)
    if {"MemTotal", "MemAvailable"} <= facts.keys():
        budgets.append(Memory(facts["MemTotal"], facts["MemTotal"] - facts["MemAvailable"], "machine"))
    return min(budgets, key=lambda one: one.free, default=Memory(2**62, 0, "machine"))


def estimate(file_bytes: int, signature: Signature, lanes: int = 1) -> int:
    """About how many bytes a model will take at most, before it is loaded: the file while it is read, and for each
    lane (an engine may have a session for each) its weights, packed anew, and what lies between layers."""
    planes = 1 if signature.channels == "grey" else 3
    between = _OF_INPUT * 4 * planes * signature.input_width * signature.input_height
    return round(file_bytes + lanes * (_OF_FILE * file_bytes + between))


def check(name: str, needed: int, now: Memory, *, loaded: bool = False) -> None:
    """Raises `model.no_memory`, with the numbers, when a model would not fit, or once `loaded` does not."""
    if now.used > now.limit if loaded else needed > now.free:
        numbers = {key: round(value / MB) for key, value in (("needed", needed), ("used", now.used))}
        raise LinesideError("model.no_memory", name=name, limit=round(now.limit / MB), source=now.source, **numbers)


def give_back() -> None:
    """Hands freed memory back to the system, where the C library can (glibc's malloc_trim)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def one_heap() -> None:
    """Has all threads allocate from one heap, where the C library can (glibc's mallopt): each would keep what it has
    freed for itself, 3 to 6 MB of a runtime. Before the first thread starts."""
    option = getattr(ctypes.CDLL(None), "mallopt", None)
    if option is not None:
        option(_ARENA_MAX, 1)


def _number(path: Path) -> int | None:
    """A file's number; None for no such file, "max", and version 1's way of saying so."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() and int(text) < 2**60 else None


def _droppable(folder: Path) -> int:
    try:
        lines = (folder / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    return max((int(line.split()[1]) for line in lines if line.startswith(_CACHE)), default=0)


def _machine(proc: Path) -> dict[str, int]:
    try:
        lines = (proc / "meminfo").read_text().splitlines()
    except OSError:
        return {}
    rows = (line.split() for line in lines)
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) >= 2 and row[1].isdigit()}
