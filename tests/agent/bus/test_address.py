"""The socket always fits into a socket address, anybody may connect, and what a killed agent left is no obstacle."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from lineside.agent.bus import address
from lineside.agent.bus.address import Address


def _connects(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


@pytest.fixture
def long_root(tmp_path: Path) -> Path:
    found = tmp_path / ("a-long-name" * 10)
    found.mkdir()
    return found


def test_a_short_root_holds_the_socket(tmp_path: Path) -> None:
    found = Address(tmp_path)
    with found.open(1):
        assert found.path == tmp_path / "ipc.socket"
        assert stat.S_IMODE(found.path.stat().st_mode) == 0o666
        _connects(found.path)
    found.close()
    assert not found.path.exists()


def test_a_long_root_is_served_from_a_short_folder_and_links_there(long_root: Path) -> None:
    found = Address(long_root)
    with found.open(1):
        assert len(os.fsencode(found.path)) <= address.MAX_PATH
        assert (long_root / "ipc.socket").readlink() == found.path
        assert stat.S_IMODE(found.path.parent.stat().st_mode) == 0o711
        _connects(found.path)
    found.close()
    assert not found.path.parent.exists()
    assert not (long_root / "ipc.socket").is_symlink()


def test_what_a_killed_agent_left_is_used_again(long_root: Path, tmp_path: Path) -> None:
    for root in (long_root, tmp_path):
        Address(root).open(1).close()
        again = Address(root)
        assert again.path == Address(root).path
        with again.open(1):
            _connects(again.path)
        again.close()


def test_a_folder_that_others_may_write_is_not_used(long_root: Path) -> None:
    first = Address(long_root)
    first.path.parent.chmod(0o777)
    second = Address(long_root)
    assert second.path.parent != first.path.parent
    assert stat.S_IMODE(second.path.parent.stat().st_mode) == 0o711
    with second.open(1):
        _connects(second.path)
    second.close()
    first.path.parent.rmdir()


def test_a_link_with_the_name_of_the_folder_is_not_followed(long_root: Path, tmp_path: Path) -> None:
    first = Address(long_root)
    first.path.parent.rmdir()
    first.path.parent.symlink_to(tmp_path)
    try:
        second = Address(long_root)
        assert second.path.parent != first.path.parent
        second.path.parent.rmdir()
    finally:
        first.path.parent.unlink()


def test_a_folder_that_was_cleared_away_is_made_again_and_a_stolen_one_is_not_used(long_root: Path) -> None:
    found = Address(long_root)
    found.open(1).close()
    found.close()
    with found.open(1):
        assert found.there()
        found.path.unlink()
        assert not found.there()
    found.path.parent.chmod(0o777)
    with pytest.raises(PermissionError):
        found.open(1)
    found.path.parent.chmod(0o711)
    found.close()
