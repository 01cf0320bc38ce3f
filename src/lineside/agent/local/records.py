"""The record of local deployments in the agent's database: one value, replaced in one transaction."""

from __future__ import annotations

import msgspec

from lineside.agent.database import Database
from lineside.agent.local.model import Record

_KEY = "local"


class Records:
    """Reads and writes it. Usable from several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> Record:
        """The record as it is; an empty one at first, and when what is there cannot be read."""
        with self._database.reading() as rows:
            found = rows.execute("SELECT value FROM facts WHERE key = ?", (_KEY,)).fetchone()
        if found is None:
            return Record()
        try:
            return msgspec.json.decode(found[0], type=Record)
        except msgspec.DecodeError:  # of another agent's time: what runs is in the good set all the same
            return Record()

    def write(self, record: Record) -> None:
        """Replace it."""
        with self._database.transaction() as rows:
            rows.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (_KEY, msgspec.json.encode(record)))
