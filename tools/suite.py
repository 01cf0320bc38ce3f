"""Every test, several at a time; a file in which one fails is run once more, alone, and counts as it ends then.

Two cores may stand still for half a minute while four plants train, roll out and are killed on them. A test that
passes alone has met the machine, or a race: it is named at the end, so that somebody looks.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence

import pytest

_BESIDE = ("-n", "4", "--dist", "loadgroup")
_MOST = 20  # failures that are looked at again: more are no accident
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
    status = int(pytest.main([*_BESIDE, *arguments], plugins=[failures]))
    names = list(failures.names)
    if status != pytest.ExitCode.TESTS_FAILED or not 0 < len(names) <= _MOST:
        return status
    files = dict.fromkeys(name.partition("::")[0] for name in names)  # whole: a test may tell on where others ended
    _say(f"{len(names)} failed beside others; their files once more, alone:", names)
    status = subprocess.run([sys.executable, "-m", "pytest", "-n", "0", *files], check=False).returncode
    if status == 0:
        _say("Passed alone, failed beside others:", names)
    return status


def _say(line: str, names: Sequence[str]) -> None:
    sys.stdout.write(f"\n{line}\n" + "".join(f"  {name}\n" for name in names))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
