"""Threads follow the cores a process may really use: affinity, and the quotas of its cgroup and of those above."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lineside.runtime.engines.cgroup import folders
from lineside.runtime.engines.cores import usable_cores

ALL = len(os.sched_getaffinity(0))
V1 = "4:memory:/\n2:cpu,cpuacct:/agent/line\n1:name=systemd:/\n"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """`/proc/self/cgroup` of a process in a container of version 2."""
    path = tmp_path / "own"
    path.write_text("0::/\n")
    return path


def quota(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.max").write_text(text)


def test_without_a_quota_it_is_the_affinity(tmp_path: Path, own: Path) -> None:
    assert usable_cores(tmp_path, own) == ALL
    quota(tmp_path, "max 100000\n")
    assert usable_cores(tmp_path, own) == ALL
    assert usable_cores(tmp_path, tmp_path / "no-such-file") == ALL


def test_a_cgroup_v2_quota_cuts_it(tmp_path: Path, own: Path) -> None:
    quota(tmp_path, "50000 100000\n")
    assert usable_cores(tmp_path, own) == 1
    quota(tmp_path, f"{ALL * 100000 + 1} 100000\n")
    assert usable_cores(tmp_path, own) == ALL


def test_a_cgroup_v1_quota_cuts_it(tmp_path: Path, own: Path) -> None:
    own.write_text(V1)
    folder = tmp_path / "cpu"
    folder.mkdir()
    (folder / "cpu.cfs_quota_us").write_text("100000\n")
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    assert usable_cores(tmp_path, own) == 1
    (folder / "cpu.cfs_quota_us").write_text("-1\n")
    assert usable_cores(tmp_path, own) == ALL


@pytest.mark.skipif(ALL < 2, reason="one core cannot be cut")
@pytest.mark.parametrize("limited", ["agent", "agent/line"])
def test_the_tightest_group_on_the_way_up_counts(tmp_path: Path, own: Path, limited: str) -> None:
    own.write_text("0::/agent/line\n")
    for folder in (tmp_path, tmp_path / "agent", tmp_path / "agent" / "line"):
        quota(folder, f"{ALL * 100000} 100000\n")
    assert usable_cores(tmp_path, own) == ALL
    quota(tmp_path / limited, "90000 100000\n")
    assert usable_cores(tmp_path, own) == 1


def test_the_way_goes_from_the_own_group_to_the_root(tmp_path: Path, own: Path) -> None:
    own.write_text("0::/agent/line\n" + V1)
    for path in ("agent", "cpu/agent/line"):
        (tmp_path / path).mkdir(parents=True)  # agent/line is not seen from in here
    assert list(folders("cpu", tmp_path, own)) == [
        tmp_path / "agent",
        tmp_path,
        tmp_path / "cpu" / "agent" / "line",
        tmp_path / "cpu" / "agent",
        tmp_path / "cpu",
    ]
    assert list(folders("memory", tmp_path, own)) == [tmp_path / "agent", tmp_path]  # version 1's is not mounted
