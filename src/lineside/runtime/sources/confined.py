"""Files that others name: only those below folders that are allowed, with every link followed first."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from lineside.contract.errors import LinesideError
from lineside.runtime.sources.folder import MAX_FILE_BYTES, check_size


def read_confined(named: str, folders: Sequence[Path]) -> tuple[Path, bytes, float]:
    """A file below one of the folders: where it really lies, its bytes, when it changed.

    Raises `request.path_forbidden`, `image.missing`, `image.file_too_large`, `image.file_no_memory`.
    """
    try:
        path = Path(folders[0], named).resolve()
        if not any(path.is_relative_to(folder.resolve()) for folder in folders):
            raise LinesideError("request.path_forbidden", path=named)
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise LinesideError("image.missing", path=named, why="it is no file")
            check_size(found.st_size)
            return path, file.read(MAX_FILE_BYTES), found.st_mtime
    except (OSError, ValueError, RuntimeError) as error:  # a name with a NUL; a link to itself, before Python 3.13
        why = getattr(error, "strerror", None) or error
        raise LinesideError("image.missing", path=named, why=why) from error
