"""The unit that `lineside agent unit` prints, read by systemd's own checker."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lineside.agent.systemd.unit import unit


@pytest.mark.parametrize("user", [None, "daemon"])
def test_systemd_finds_nothing_wrong(tmp_path: Path, user: str | None) -> None:
    checker = shutil.which("systemd-analyze")
    if checker is None:
        pytest.skip("there is no systemd-analyze here")
    root = tmp_path / "a root of 100%"
    root.mkdir()
    file = tmp_path / "lineside-agent.service"
    file.write_text(unit(root, [sys.executable, "-I", str(root / "loader.py"), str(root)], user))
    run = subprocess.run([checker, "verify", "--man=no", str(file)], capture_output=True, text=True, check=False)
    about_ours = [line for line in run.stderr.splitlines() if file.name in line]
    assert about_ours == []


def test_it_is_watched_restarted_and_hardened() -> None:
    lines = unit(Path("/var/lib/lineside"), ["/usr/bin/python3", "/x"], "edge").splitlines()
    for line in ("Type=notify", "WatchdogSec=120", "Restart=always", "User=edge", "NoNewPrivileges=yes"):
        assert line in lines
    assert "ExecStart=/usr/bin/python3 /x" in lines
    assert "ProtectHome=read-only" in lines
    assert "ProtectHome=no" in unit(Path("/home/edge/.lineside/agent"), ["/x"]).splitlines()
    assert "NoNewPrivileges=yes" not in unit(Path("/var/lib/lineside"), ["/x"])


def test_the_checker_would_find_something(tmp_path: Path) -> None:
    checker = shutil.which("systemd-analyze")
    if checker is None:
        pytest.skip("there is no systemd-analyze here")
    file = tmp_path / "lineside-agent.service"
    file.write_text(unit(Path("/var/lib/lineside"), ["/bin/true"]).replace("Restart=always", "Restart=perhaps"))
    run = subprocess.run([checker, "verify", "--man=no", str(file)], capture_output=True, text=True, check=False)
    assert file.name in run.stderr
