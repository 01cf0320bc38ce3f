"""One agent a root, and no longer than it lives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lineside.agent.lock import holder, locked
from lineside.agent.paths import Paths
from lineside.contract.errors import LinesideError

_LEAVES_A_CHILD = """
import fcntl, os, sys, time
handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(handle, fcntl.LOCK_EX)
os.pwrite(handle, str(os.getpid()).encode(), 0)
if os.fork() == 0:
    print("forked", flush=True)
    time.sleep(0.5)
os._exit(0)
"""


def test_a_living_agent_keeps_others_out(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    with locked(paths):
        assert holder(paths) == os.getpid()
        with pytest.raises(LinesideError) as refused, locked(paths):
            pass
    assert (refused.value.code, refused.value.params["pid"]) == ("agent.root_in_use", str(os.getpid()))
    assert holder(paths) is None


def test_a_child_that_a_killed_agent_had_just_forked_is_waited_for(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    command = [sys.executable, "-c", _LEAVES_A_CHILD, str(paths.lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"forked\n"
        killed.wait()
        assert holder(paths) == killed.pid  # its child holds the lock
        with locked(paths):
            assert holder(paths) == os.getpid()
