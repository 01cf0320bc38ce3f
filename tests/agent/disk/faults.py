"""A disk that refuses, switched on and off from outside the agent while it runs.

The faults file holds one JSON object: `{"error": "ENOSPC", "path": "*/store/*", "kinds": ["sync"], "skip": 3}`; every
operation on a path that matches (fnmatch) fails with that error until the file is gone. Kinds are the recorder's:
create open rename unlink rmdir mkdir link symlink sync; none named means all. `skip` lets so many through first,
`times` lets the disk recover by itself after so many refusals. `"sqlite": "database or disk is full"` lets every
statement that writes fail with these words of SQLite's instead.
"""

from __future__ import annotations

import errno
import fnmatch
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

_SQLITE = {
    "database or disk is full": sqlite3.SQLITE_FULL,
    "disk I/O error": sqlite3.SQLITE_IOERR,
    "attempt to write a readonly database": sqlite3.SQLITE_READONLY,
}
_READS = ("SELECT", "PRAGMA", "ROLLBACK")


class Faults:
    """What the file says now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at = 0
        self._said: dict[str, Any] = {}
        self._matched = 0

    def check(self, name: str, kind: str) -> None:
        """Raise what the file says for this operation."""
        said = self._now()
        if "error" not in said or not fnmatch.fnmatch(name, said.get("path", "*")):
            return
        if said.get("kinds") and kind not in said["kinds"]:
            return
        if self._passes(said):
            return
        number = getattr(errno, said["error"])
        raise OSError(number, os.strerror(number), name)

    def check_statement(self, sql: str) -> None:
        """Raise what SQLite would say of this statement."""
        said = self._now()
        if "sqlite" not in said or sql.lstrip().upper().startswith(_READS) or self._passes(said):
            return
        error = sqlite3.OperationalError(said["sqlite"])
        error.sqlite_errorcode = _SQLITE[said["sqlite"]]
        raise error

    def install_sqlite(self) -> None:
        """From here on every connection asks first."""
        check, connect = self.check_statement, sqlite3.connect

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
                check(sql)
                return super().execute(sql, *more)

        def faulty(*arguments: Any, **named: Any) -> sqlite3.Connection:
            made: sqlite3.Connection = connect(*arguments, **{"factory": Connection, **named})
            return made

        sqlite3.connect = faulty  # type: ignore[assignment]

    def _passes(self, said: dict[str, Any]) -> bool:
        self._matched += 1
        skip = said.get("skip", 0)
        return self._matched <= skip or ("times" in said and self._matched > skip + said["times"])

    def _now(self) -> dict[str, Any]:
        try:
            changed = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            self._read_at, self._said = 0, {}
            return self._said
        if changed != self._read_at:
            self._read_at, self._matched = changed, 0
            self._said = json.loads(self._path.read_text())
        return self._said
