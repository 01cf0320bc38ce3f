"""The first program of every child process: step into its walls, ask the kernel to end it when the agent dies, then
become the script.

Run by path with `python -I -S`, so that it starts in milliseconds and imports nothing of ours:
    python -I -S child.py PARENT_PID CGROUPS DATA_LIMIT UID:GID:GROUPS N [WRAPPER ...] SCRIPT

The order matters: cgroups are entered while this is still the agent's user, and the kernel forgets the wish to die with
the parent when the user changes.
"""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


def main() -> None:
    parent, groups, limit, user, count, *rest = sys.argv[1:]
    wrapper, script = rest[: int(count)], rest[int(count)]
    for entry in groups.split("\n") if groups else []:
        handle = os.open(entry, os.O_WRONLY)
        os.write(handle, b"0")
        os.close(handle)
    if limit:
        resource.setrlimit(resource.RLIMIT_DATA, (int(limit), int(limit)))
    libc = ctypes.CDLL(None, use_errno=True)
    if user:
        become(user)
    if (user or wrapper) and libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):  # it died before the kernel knew
        os._exit(137)
    command = [*wrapper, "/bin/sh", "-c", script]
    os.execv(command[0], command)


def become(user: str) -> None:
    uid, gid, others = user.split(":")
    os.setgroups([int(one) for one in others.split(",") if one])
    os.setresgid(int(gid), int(gid), int(gid))
    os.setresuid(int(uid), int(uid), int(uid))


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.stderr.write(f"lineside: the script could not be started: {error}\n")
        os._exit(126)
