"""A copy of what must not be lost, beside the database: replaced in one step whenever it changes there.

It may be one change behind after a power cut. That is enough: the set before the good set is kept on disk too.
"""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import msgspec

from lineside.agent.durable import write_atomically
from lineside.contract.ids import digest_of
from lineside.contract.reading import UNREADABLE

COPIED = ("desired", "good", "previous", "outcome", "stamps", "local")
"""Keys of the table `facts`."""

_log = logging.getLogger(__name__)


class _File(msgspec.Struct):
    digest: str  # of `facts`, as they are here
    facts: msgspec.Raw


class Copy:
    """One file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def differs(self, rows: sqlite3.Connection) -> bool:
        """Whether the copy is not what the database says."""
        return self._read() != _facts(rows)

    def write(self, rows: sqlite3.Connection) -> None:
        """Make it so. Raises `OSError`."""
        facts = msgspec.json.encode({key: msgspec.Raw(value) for key, value in _facts(rows).items()})
        data = msgspec.json.encode(_File(digest=digest_of(facts), facts=msgspec.Raw(facts)))
        write_atomically(self._path, data, 0o600)

    def restore(self, rows: sqlite3.Connection) -> None:
        """Put what was copied into a new database; nothing, if there is no sound copy."""
        for key, value in self._read().items():
            rows.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))

    def _read(self) -> dict[str, bytes]:
        try:
            file = msgspec.json.decode(self._path.read_bytes(), type=_File)
            if digest_of(bytes(file.facts)) != file.digest:
                raise msgspec.DecodeError("its digest is wrong")
            found = msgspec.json.decode(file.facts, type=dict[str, msgspec.Raw])
        except FileNotFoundError:
            return {}
        except (OSError, *UNREADABLE) as error:
            _log.warning("the copy of the state cannot be read: %s", error)
            return {}
        return {key: bytes(value) for key, value in found.items() if key in COPIED}


def _facts(rows: sqlite3.Connection) -> dict[str, bytes]:
    marks = ", ".join("?" for _ in COPIED)
    found = rows.execute(f"SELECT key, value FROM facts WHERE key IN ({marks})", COPIED).fetchall()
    return {key: bytes(value) for key, value in found}
