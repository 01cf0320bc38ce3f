"""Threads follow the cores a process may really use: affinity, and the cgroup's quota."""

from __future__ import annotations

import os
from pathlib import Path

from lineside.runtime.engines.cores import usable_cores

ALL = len(os.sched_getaffinity(0))


def test_without_a_quota_it_is_the_affinity(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == ALL
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert usable_cores(tmp_path) == ALL


def test_a_cgroup_v2_quota_cuts_it(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert usable_cores(tmp_path) == 1
    (tmp_path / "cpu.max").write_text(f"{ALL * 100000 + 1} 100000\n")
    assert usable_cores(tmp_path) == ALL


def test_a_cgroup_v1_quota_cuts_it(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("100000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert usable_cores(tmp_path) == 1
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    assert usable_cores(tmp_path) == ALL
