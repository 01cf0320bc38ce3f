"""Processes as `/proc` shows them: who runs, by a word in the command line, and whose child it is."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import SystemRandom

from tests.eventually import PATIENCE

_FIRST_PORT, _LAST_PORT = 15_000, 32_000  # below the range from which the kernel gives ports away


def about(*words: str | Path) -> dict[int, str]:
    """Pid and command line of every process whose command line has all the words. Zombies have none."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal() or int(folder.name) == os.getpid():
            continue
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if all(str(word) in line for word in words):
            found[int(folder.name)] = line
    return found


def start(program: Sequence[str], log: Path, **variables: str) -> subprocess.Popen[bytes]:
    """A program of ours in a process group of its own; what it says is added to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", *program],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment(variables),
            start_new_session=True,
        )


def run(*program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A program of ours, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", *program],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env=environment(variables),
    )


def environment(variables: Mapping[str, str] = {}) -> dict[str, str]:
    """This process's environment without Lineside's own settings, and one thread for each small model."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LINESIDE_")}
    return kept | {"OMP_NUM_THREADS": "1"} | dict(variables)


def free_ports(count: int) -> list[int]:
    """Ports that nobody has, and that the kernel gives to nobody while ours is down."""
    found: list[int] = []
    while len(found) < count:
        port = SystemRandom().randint(_FIRST_PORT, _LAST_PORT)
        with socket.socket() as probe:
            if port not in found and probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
    return found
