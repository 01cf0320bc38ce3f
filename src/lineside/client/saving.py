"""What is downloaded, as files that are whole or absent."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def saved(pieces: Iterable[bytes], target: Path) -> Path:
    """Written beside the target and renamed in when all of it is on the disk."""
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as stream:
            for piece in pieces:
                stream.write(piece)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return target
