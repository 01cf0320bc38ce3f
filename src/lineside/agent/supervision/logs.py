"""What components print: one file a component, rotated by size; old ones end in .1 (newest) to .3."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import IO

LIMIT = 1 << 20
KEEP = 3


def open_log(path: Path) -> IO[bytes]:
    """The log for appending. Children write to it directly, so that nothing is lost when the agent dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rotate(path)
    return path.open("ab", buffering=0)


def rotate(path: Path, limit: int = LIMIT) -> None:
    """Copy a log of more than `limit` bytes aside and empty it: its writers append, so they may go on writing."""
    if not path.exists() or path.stat().st_size <= limit:
        return
    for number in range(KEEP, 1, -1):
        older = path.with_name(f"{path.name}.{number - 1}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number}"))
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)
