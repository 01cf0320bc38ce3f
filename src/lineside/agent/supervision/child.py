"""The first program of every child process: ask the kernel to end it when the agent dies, then become the script.

Run by path with `python -I -S`, so that it starts in milliseconds and imports nothing of ours:
    python -I -S child.py PARENT_PID SCRIPT
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, script = int(sys.argv[1]), sys.argv[2]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel knew
        os._exit(137)
    os.execv("/bin/sh", ["/bin/sh", "-c", script])


if __name__ == "__main__":
    main()
