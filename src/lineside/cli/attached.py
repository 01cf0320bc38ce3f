"""`python -m lineside.cli.attached PARENT PROGRAM…`: becomes PROGRAM, told to end (SIGTERM) when process PARENT ends.

So a parent that is killed with SIGKILL leaves nothing behind. Linux only (prctl PR_SET_PDEATHSIG, kept over execve);
elsewhere it only becomes PROGRAM. A program of its own because code between fork and exec may not run Python safely.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def attached(program: Sequence[str]) -> list[str]:
    """The command line that runs `program` attached to this process. Start it from the main thread."""
    return [sys.executable, "-m", __name__, str(os.getpid()), *program]


def main(argv: Sequence[str]) -> None:
    """Attach to the parent and become the program."""
    parent, *program = argv
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(parent):  # it ended before we could ask to be told
            sys.exit(1)
    os.execvp(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
