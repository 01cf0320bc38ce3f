"""The memory budget: whose word counts, and the numbers of a refusal."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.contract.errors import LinesideError
from lineside.runtime.models.memory import MB, Memory, check, estimate, memory, resident
from tests.runtime.conftest import BRIGHT

TOTAL, AVAILABLE = 4_000_000, 3_000_000  # kB


@pytest.fixture
def machine(tmp_path: Path) -> tuple[Path, Path, Path]:
    """`/sys/fs/cgroup`, `/proc/self/cgroup` and `/proc` of a process in the group /line of a machine of 4 GB."""
    mount, proc = tmp_path / "cgroup", tmp_path / "proc"
    (mount / "line").mkdir(parents=True)
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text("0::/line\n")
    (proc / "self" / "statm").write_text("50000 10000 3000 1 0 9000 0\n")
    (proc / "meminfo").write_text(f"MemTotal: {TOTAL} kB\nMemFree: 1 kB\nMemAvailable: {AVAILABLE} kB\nHuge: 0\n")
    return mount, proc / "self" / "cgroup", proc


def test_this_process_has_a_size() -> None:
    assert resident() > 5 * MB
    assert memory().limit > memory().used > 0


def test_without_limits_it_is_the_machines(machine: tuple[Path, Path, Path]) -> None:
    assert memory(None, *machine) == Memory(TOTAL * 1024, (TOTAL - AVAILABLE) * 1024, "machine")


def test_a_group_counts_all_that_is_in_it_but_for_what_can_be_dropped(machine: tuple[Path, Path, Path]) -> None:
    line = machine[0] / "line"
    (line / "memory.max").write_text(f"{500 * MB}\n")
    (line / "memory.current").write_text(f"{300 * MB}\n")
    (line / "memory.stat").write_text(f"anon 1\ninactive_file {120 * MB}\nactive_file 7\n")
    assert memory(None, *machine) == Memory(500 * MB, 180 * MB, "cgroup")
    (line / "memory.max").write_text("max\n")
    assert memory(None, *machine).source == "machine"


def test_a_group_of_version_1_without_a_limit_has_none(machine: tuple[Path, Path, Path]) -> None:
    machine[1].write_text("4:memory:/line\n")
    group = machine[0] / "memory" / "line"
    group.mkdir(parents=True)
    (group / "memory.usage_in_bytes").write_text(f"{100 * MB}\n")
    (group / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert memory(None, *machine).source == "machine"
    (group / "memory.limit_in_bytes").write_text(f"{256 * MB}\n")
    assert memory(None, *machine) == Memory(256 * MB, 100 * MB, "cgroup")


def test_the_budget_with_the_least_room_counts(machine: tuple[Path, Path, Path]) -> None:
    configured = memory(200, *machine)
    assert (configured.limit, configured.source) == (200 * MB, "memory_mb")
    assert configured.used == resident(machine[2]) > 0
    line = machine[0] / "line"
    (line / "memory.max").write_text(f"{100 * MB}\n")
    (line / "memory.current").write_text(f"{90 * MB}\n")
    assert memory(200, *machine).source == "cgroup"


def test_a_refusal_tells_the_numbers() -> None:
    check("line", 50 * MB, Memory(100 * MB, 50 * MB, "memory_mb"))
    with pytest.raises(LinesideError) as caught:
        check("line", 51 * MB, Memory(100 * MB, 50 * MB, "memory_mb"))
    assert caught.value.code == "model.no_memory"
    assert "51 MB; 50 MB of 100 MB are in use (memory_mb)" in caught.value.message


def test_what_is_loaded_counts_by_what_is_used() -> None:
    check("line", 90 * MB, Memory(100 * MB, 95 * MB, "cgroup"), loaded=True)
    with pytest.raises(LinesideError, match=r"model\.no_memory"):
        check("line", 10 * MB, Memory(100 * MB, 101 * MB, "cgroup"), loaded=True)


@given(st.integers(0, 10**9), st.integers(1, 4096), st.integers(1, 4096))
def test_bigger_files_and_bigger_inputs_need_more(size: int, width: int, height: int) -> None:
    signature = msgspec.structs.replace(BRIGHT, input_width=width, input_height=height)
    wider = msgspec.structs.replace(signature, input_width=width + 32)
    assert estimate(size, signature, 2) > estimate(size, signature) >= 2 * size
    assert estimate(size, wider) > estimate(size, signature)
    assert estimate(size + 10, signature) > estimate(size, signature)


_THREADS = """
import ctypes, sys, threading
from lineside.runtime.models.memory import one_heap
if sys.argv[1] == "one":
    one_heap()
together = threading.Barrier(4)
def use():
    together.wait()
    kept = [ctypes.create_string_buffer(50_000) for _ in range(20)]
    together.wait()
threads = [threading.Thread(target=use) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
library = ctypes.CDLL(None)
library.fdopen.restype = ctypes.c_void_p
library.malloc_info(0, ctypes.c_void_p(library.fdopen(1, b"w")))
library.fflush(None)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="a C library without mallopt")
@pytest.mark.parametrize(("how", "one"), [("one", True), ("many", False)])
def test_threads_of_a_runtime_share_a_heap(how: str, one: bool) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", _THREADS, how]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=own)
    assert (done.stdout.count("<heap ") == 1) is one
