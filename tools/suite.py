"""Every test, several at a time; a file in which one fails is run again, alone, and counts as it ends then.

Two cores may stand still for half a minute while plants train, roll out and are killed on them. A test that
passes alone, at the second try at the latest, has met the machine, or a race: it is named at the end, so that
somebody looks.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence

import pytest

_BESIDE = ("-n", "3", "--dist", "loadgroup", "--no-loadscope-reorder")  # tests/conftest.py has put them in order
_SHORT = "--tb=short"
_MOST = 20  # failures that are looked at again: more are no accident
_TRIES = 2  # of a file, alone
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
    status = int(pytest.main([*_BESIDE, _SHORT, *arguments], plugins=[failures]))
    names = list(failures.names)
    if status != pytest.ExitCode.TESTS_FAILED or not 0 < len(names) <= _MOST:
        return status
    _say(f"{len(names)} failed beside others; their files once more, alone:", names)
    files = list(dict.fromkeys(name.partition("::")[0] for name in names))
    for _ in range(_TRIES):
        files = [file for file in files if not _passes(file)]
    _say("Failed alone, too:" if files else "Passed alone, failed beside others:", files or names)
    return int(pytest.ExitCode.TESTS_FAILED if files else pytest.ExitCode.OK)


def _passes(file: str) -> bool:
    """The file whole, in a process of its own: a test may tell on where others ended."""
    return subprocess.run([sys.executable, "-m", "pytest", "-n", "0", _SHORT, file], check=False).returncode == 0


def _say(line: str, names: Sequence[str]) -> None:
    sys.stdout.write(f"\n{line}\n" + "".join(f"  {name}\n" for name in names))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
