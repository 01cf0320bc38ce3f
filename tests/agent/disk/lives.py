"""Short recorded lives for tests: a process does something below a root and is killed; what power cuts then leave."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.agent.disk.loss import Disk

T = TypeVar("T")

_HEAD = """
import os, shutil, signal, sqlite3, sys, tempfile
from pathlib import Path
from tests.agent.disk.faults import Faults
from tests.agent.disk.recorder import Recorder
root, journal = Path(sys.argv[1]), Path(sys.argv[2])
faults = Faults(journal.with_name("faults"))
faults.install_sqlite()
Recorder(root, journal, faults=faults).install()
def sync(path):
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
"""


def live(tmp_path: Path, body: str, *, name: str = "root", ends_with: int = -9) -> tuple[Disk, Path]:
    """One life: a process that does `body` below the root and is killed."""
    root, journal = tmp_path / name, tmp_path / f"{name}.journal"
    root.mkdir(exist_ok=True)
    disk = Disk(root)
    code = _HEAD + textwrap.dedent(body) + "\nos.kill(os.getpid(), signal.SIGKILL)\n"
    done = subprocess.run(
        [sys.executable, "-c", code, str(root), str(journal)], capture_output=True, text=True, check=False
    )
    assert done.returncode == ends_with, done.stderr
    return disk, journal


def outcomes(tmp_path: Path, body: str, look: Callable[[Path], T], before: str = "", ends_with: int = -9) -> set[T]:
    """What is left after many different power cuts of the same life."""
    found: set[T] = set()
    tmp_path.mkdir(exist_ok=True)
    for number in range(40):
        name = f"root{number}"
        root = tmp_path / name
        root.mkdir()
        if before:
            (root / "file").write_text(before)
        # One recorded life is enough; each root is a copy of what it left behind.
        if number == 0:
            disk, journal = live(tmp_path, body, name=name, ends_with=ends_with)
            shell = f"cp -a {root} {tmp_path / 'after'}; cp -a {journal} {tmp_path / 'kept'}"
            subprocess.run(["sh", "-c", shell], check=True)
        else:
            disk = Disk(root)
            subprocess.run(["sh", "-c", f"rm -r {root}; cp -a {tmp_path / 'after'} {root}"], check=True)
            journal = tmp_path / f"{name}.journal"
            subprocess.run(["cp", "-a", tmp_path / "kept", journal], check=True)
            events = journal / "events"
            text = events.read_text().replace("root0.journal", f"{name}.journal").replace("root0/", f"{name}/")
            events.write_text(text.replace('/root0"', f'/{name}"'))
        disk.cut(journal, random.Random(number))
        found.add(look(root))
    return found
