"""A twin's limits around the whole agent: in a control group where that is allowed, else by rlimits; it says which."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lineside.agent.supervision.walls.cgroups import find_corner
from lineside.agent.supervision.walls.whole import begin, twin_facts
from lineside.contract.errors import LinesideError
from lineside.contract.twin import HELD_FILE, PROFILE_FILE, PROFILES, Held, Profile, read_profile

SMALL = Profile(name="small", memory_mib=96, cpus=0.5, latency_p95_ms=10.0, peak_memory_mib=10)

PROGRAM = """
import subprocess, sys
from pathlib import Path
from lineside.agent.supervision.walls.whole import hold, profile_of
root = Path(sys.argv[1])
print(hold(root, profile_of(root), Path(sys.argv[2])).words, flush=True)
eater = "x = bytearray(300 << 20); print('ate')"
print(subprocess.run([sys.executable, "-c", eater], capture_output=True).stdout.decode() or "could not", flush=True)
"""


def hold(root: Path, proc: str) -> list[str]:
    (root / PROFILE_FILE).write_bytes(msgspec.json.encode(SMALL))
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(root), proc], capture_output=True, text=True, check=False)
    for directory in msgspec.json.decode((root / HELD_FILE).read_bytes(), type=Held).directories:
        Path(directory).rmdir()
    return done.stdout.splitlines() or [done.stderr]


def test_what_the_agent_starts_cannot_use_more_memory_than_the_profile_has(tmp_path: Path) -> None:
    if find_corner(tmp_path) is None:
        pytest.skip("no control group may be made here")
    words, eaten = hold(tmp_path, "/proc/self")
    assert words.startswith("cgroup v")
    assert eaten == "could not"
    assert twin_facts(tmp_path) == {
        "profile": "small",
        "limits": words,
        "profile_values": msgspec.to_builtins(SMALL),
    }


def test_without_control_groups_rlimits_hold_each_process_and_it_says_so(tmp_path: Path) -> None:
    words, eaten = hold(tmp_path, str(tmp_path / "no proc"))
    assert words.startswith("rlimits (memory of each process for itself)")
    assert "cores" in words
    assert eaten == "could not"


def test_a_root_without_a_profile_is_not_limited(tmp_path: Path) -> None:
    assert begin(tmp_path) == ""
    assert twin_facts(tmp_path) == {}


def test_a_damaged_profile_keeps_the_agent_from_starting_without_limits(tmp_path: Path) -> None:
    (tmp_path / PROFILE_FILE).write_text('{"name": "small", "memory_mib": 0}')
    with pytest.raises(LinesideError, match="no profile"):
        begin(tmp_path)


@pytest.mark.parametrize(
    "change", [{"memory_mib": 0}, {"cpus": float("inf")}, {"name": "a b"}, {"gpus": 1}, {"cpus": "many"}]
)
def test_a_profile_that_cannot_be_held_is_refused(change: dict[str, object]) -> None:
    values = msgspec.to_builtins(PROFILES["generic-x86"]) | change
    with pytest.raises(LinesideError, match="no profile"):
        read_profile(msgspec.json.encode(values), "a file")
