"""Which versions of the result schema the control plane takes, as the agent keeps it in a file."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lineside.contract.reading import UNREADABLE
from lineside.contract.schema_versions import SILENT


class Taken:
    """What the file says now; without one, what a control plane takes that says nothing."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._seen = (0, 0)
        self._versions: tuple[int, ...] = SILENT

    def versions(self) -> tuple[int, ...]:
        """A look at the file; it is read when it is another one."""
        try:
            if self._file is not None and (seen := _mark(self._file)) != self._seen:
                self._versions = msgspec.json.decode(self._file.read_bytes(), type=tuple[int, ...]) or SILENT
                self._seen = seen
        except FileNotFoundError:
            self._versions, self._seen = SILENT, (0, 0)
        except (OSError, *UNREADABLE):
            pass  # the last word stands
        return self._versions


def _mark(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_ino, found.st_mtime_ns
