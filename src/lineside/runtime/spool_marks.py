"""Numbers that must not be believed when a bit of them changed: how far numbering and each sink have come; and the
reserve, a small file beside the spool that numbering goes on from when the spool itself is lost."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from zlib import crc32

from lineside.runtime.files import write_atomic

LAST = ""
"""The mark of the newest sequence number; the others are named after their sink."""

RESERVED = 1_000_000
"""Sequence numbers that one write of the reserve is good for."""


def read_marks(db: sqlite3.Connection) -> dict[str, int]:
    """Every mark that is sound."""
    rows = db.execute("SELECT name, value, sum FROM marks").fetchall()
    return {name: value for name, value, check in rows if check == _sum(name, value)}


def write_mark(db: sqlite3.Connection, name: str, value: int) -> None:
    """Within the caller's transaction."""
    db.execute("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)", (name, value, _sum(name, value)))


def _sum(name: str, value: int) -> int:
    return crc32(f"{name}:{value}".encode())


class Reserve:
    """Numbers up to `until` may be in use. Survives the loss of the spool, whatever the clock says."""

    def __init__(self, spool: Path) -> None:
        self._path = spool.with_name(spool.name + ".numbers")
        try:
            text, _, check = self._path.read_text().partition(" ")
            self.until = int(text) if check == str(crc32(text.encode())) else 0
        except (OSError, ValueError):
            self.until = 0

    def cover(self, number: int) -> None:
        """Makes sure that `number` is within the reserve. Durable on return. Raises OSError."""
        if number <= self.until:
            return
        text = str(number + RESERVED)
        write_atomic(self._path, f"{text} {crc32(text.encode())}".encode())
        self.until = number + RESERVED
