"""The power goes while a device is updated: the benchmark of `benchmarks.powercut`, a short one."""

from __future__ import annotations

from pathlib import Path

from benchmarks.powercut import work


def test_a_device_that_is_killed_all_the_time_ends_in_a_known_state(tmp_path: Path) -> None:
    result = work("test", 24, tmp_path / "devices", tmp_path / "kept")
    assert result.violations == []
    assert len(result.lives) == 24
    assert any(life.settled for life in result.lives)
    assert any(life.lost for life in result.lives)
