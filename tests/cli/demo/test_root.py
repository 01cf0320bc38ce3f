"""Which folder a demo uses, and that two demos never use the same."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from lineside.cli.demo.root import hold_root
from lineside.contract.errors import LinesideError


def test_a_second_demo_takes_the_next_default_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = hold_root(None), hold_root(None)
    assert (first.path, second.path) == (tmp_path / "lineside-demo", tmp_path / "lineside-demo-2")
    first.lock.close()
    again = hold_root(None)
    assert again.path == tmp_path / "lineside-demo"
    again.lock.close()
    second.lock.close()


def test_a_named_root_that_is_busy_is_refused_with_the_pid(tmp_path: Path) -> None:
    held = hold_root(tmp_path / "mine")
    with pytest.raises(LinesideError) as refusal:
        hold_root(tmp_path / "mine")
    assert (refusal.value.code, refusal.value.params["pid"]) == ("start.root_in_use", str(os.getpid()))
    held.lock.close()


def test_a_root_under_a_control_plane_started_by_hand_is_busy(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        lock.write("4321")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LinesideError) as refusal:
            hold_root(tmp_path)
    assert (refusal.value.code, refusal.value.params["pid"]) == ("start.root_in_use", "4321")


def test_a_root_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LinesideError) as refusal:
        hold_root(tmp_path / "file" / "root")
    assert refusal.value.code == "start.root_read_only"


def test_a_story_that_needs_a_fresh_root_passes_over_those_whose_line_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with hold_root(None, fresh=True) as first:
        first.told.touch()
    with hold_root(None, fresh=True) as second:
        assert second.path == tmp_path / "lineside-demo-2"
    with hold_root(None) as any_root:
        assert any_root.path == tmp_path / "lineside-demo"
    with pytest.raises(LinesideError) as refusal:
        hold_root(tmp_path / "lineside-demo", fresh=True)
    assert refusal.value.code == "demo.told_before"
    hold_root(tmp_path / "lineside-demo").lock.close()  # the refusal has let it go
