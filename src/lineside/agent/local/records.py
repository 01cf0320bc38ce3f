"""The record of local deployments in the agent's database: one value, replaced in one transaction."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from lineside.agent.database import Database
from lineside.agent.local.model import Record
from lineside.contract.reading import UNREADABLE

_KEY = "local"
_QUERY = "SELECT value FROM facts WHERE key = ?"


def peek(path: Path) -> Record:
    """The record in the database of an agent that may be running, or have never run; nothing is written."""
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10)
    except sqlite3.OperationalError:
        return Record()
    try:
        return _decoded(connection.execute(_QUERY, (_KEY,)).fetchone())
    except sqlite3.OperationalError:
        return Record()
    finally:
        connection.close()


def _decoded(row: tuple[bytes] | None) -> Record:
    if row is None:
        return Record()
    try:
        return msgspec.json.decode(row[0], type=Record)
    except UNREADABLE:  # of another agent's time: what runs is in the good set all the same
        return Record()


class Records:
    """Reads and writes it. Usable from several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> Record:
        """The record as it is; an empty one at first, and when what is there cannot be read."""
        with self._database.reading() as rows:
            return _decoded(rows.execute(_QUERY, (_KEY,)).fetchone())

    def write(self, record: Record) -> None:
        """Replace it."""
        with self._database.transaction() as rows:
            rows.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (_KEY, msgspec.json.encode(record)))
