"""The power goes while a device joins: it has joined completely or not at all, and joining again is all it takes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

from lineside.agent.keys.opening import open_keys
from lineside.agent.link import join_state
from lineside.agent.link.https import Link
from lineside.agent.paths import Paths
from tests.agent.control_plane import ControlPlane
from tests.agent.disk.loss import Disk


def _join(plane: ControlPlane, root: Path, journal: Path, die_at: int | None = None) -> int:
    command = [sys.executable, "-m", "tests.agent.disk.program", "join", plane.url, "--root", str(root)]
    command += ["--name", "cell-1", "--token", plane.token, "--ca-sha256", plane.ca.sha256]
    environment = os.environ | {"LINESIDE_TEST_JOURNAL": str(journal)}
    if die_at is not None:
        environment["LINESIDE_TEST_DIE_AT"] = str(die_at)
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode


def test_joining_is_complete_or_has_not_happened(plane: ControlPlane, tmp_path: Path) -> None:
    joined = 0
    for number, die_at in enumerate((2, 6, 9, 13, 17, 22, 27, 31, 36, None, None, None)):
        root, journal = tmp_path / f"root{number}", tmp_path / f"journal{number}"
        root.mkdir()
        disk = Disk(root)
        code = _join(plane, root, journal, die_at)
        disk.cut(journal, random.Random(number))
        paths = Paths(root)
        if code == 0:
            assert paths.join.exists()
        if not paths.join.exists():
            assert _join(plane, root, journal) == 0
        else:
            joined += 1
        state = join_state.load(paths)
        link = Link(state.url, state.device, open_keys(paths), paths.ca)
        link.desired(None)  # its key is the one that was signed
        link.close()
        assert paths.trusted_root.read_text() == plane.tuf.root
        assert paths.certificate.read_text()
    assert 3 <= joined < 12
