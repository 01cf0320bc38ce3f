"""Every test, several at a time; a file in which one fails is run again, alone, and counts as it ends then.

Tests keep their files in memory where this user may mount such a folder and there is room: they write thousands of
times with fsync(2), for which a disk takes milliseconds and processor time. A second try is on the disk.

Two cores may stand still for half a minute while plants train, roll out and are killed on them. A test that
passes alone, at the second try at the latest, has met the machine, or a race: it is named at the end, so that
somebody looks.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

_BESIDE = ("-n", "3", "--dist", "loadgroup", "--no-loadscope-reorder")  # tests/conftest.py has put them in order
_SHORT = "--tb=short"
_MOST = 20  # failures that are looked at again: more are no accident
_TRIES = 2  # of a file, alone
_ROOM = 10 << 20  # KiB of memory that must be free before files are kept there
_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS of unshare(2)
_GROUP = re.compile(r"@[^\]@]*$")  # how xdist marks the group of a test


class Failures:
    """Remembers which tests fail, in whichever process they ran."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A part of a test has ended."""
        if report.failed:
            self.names[_GROUP.sub("", report.nodeid)] = None


def main(arguments: Sequence[str]) -> int:
    """Exit status of pytest; that of the second run where there was one."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a thousand processes are started: none compiles what one has
    failures = Failures()
    with _in_memory() as where:
        status = int(pytest.main([*_BESIDE, _SHORT, *where, *arguments], plugins=[failures]))
    names = list(failures.names)
    if status != pytest.ExitCode.TESTS_FAILED or not 0 < len(names) <= _MOST:
        return status
    _say(f"{len(names)} failed beside others; their files once more, alone:", names)
    files = list(dict.fromkeys(name.partition("::")[0] for name in names))
    for _ in range(_TRIES):
        files = [file for file in files if not _passes(file)]
    _say("Failed alone, too:" if files else "Passed alone, failed beside others:", files or names)
    return int(pytest.ExitCode.TESTS_FAILED if files else pytest.ExitCode.OK)


@contextlib.contextmanager
def _in_memory() -> Iterator[list[str]]:
    """What tells pytest to keep files in memory, those of a passed test no longer than it takes; nothing where that may
    not be. All of them go with the context, and with this process and its children however those end."""
    folder = Path(tempfile.mkdtemp(prefix="ls-"))  # the name of a socket has at most 107 bytes, with all of its folders
    try:
        if not (_room() and _apart() and _did("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(folder))):
            yield []
            return
        try:
            yield [f"--basetemp={folder}/t", "-o", "tmp_path_retention_policy=failed"]
        finally:
            _did("umount", "-l", str(folder))
    finally:
        folder.rmdir()


def _apart() -> bool:
    """Whether what is mounted from here on is seen by this process and its children alone."""
    unshare = getattr(ctypes.CDLL(None), "unshare", None)  # os.unshare came with Python 3.12
    return unshare is not None and unshare(_NEW_MOUNTS) == 0 and _did("mount", "--make-rprivate", "/")


def _did(program: str, *arguments: str) -> bool:
    found = shutil.which(program)
    return found is not None and subprocess.run([found, *arguments], check=False, capture_output=True).returncode == 0


def _room() -> bool:
    """Whether there is memory to spare."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return False
    return any(line.startswith("MemAvailable:") and int(line.split()[1]) > _ROOM for line in lines)


def _passes(file: str) -> bool:
    """The file whole, in a process of its own: a test may tell on where others ended."""
    return subprocess.run([sys.executable, "-m", "pytest", "-n", "0", _SHORT, file], check=False).returncode == 0


def _say(line: str, names: Sequence[str]) -> None:
    sys.stdout.write(f"\n{line}\n" + "".join(f"  {name}\n" for name in names))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
