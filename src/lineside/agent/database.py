"""The agent's one SQLite file: WAL, every commit on disk before it returns, a numbered schema.

    an older schema   is brought up to date; the agent before can still read it and write it back
    a newer schema    is used as it is when its agent says that this one may (`OLDEST`), else it is put aside
    a damaged file    is put aside

What is put aside stays for a look (`agent.db.damaged`, `agent.db.schema-N`), and a new file begins with the values of
the copy that is kept beside it (`agent.copy.json`): the good set, the one before, what failed, what is wanted.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lineside.agent.database_copy import COPIED, Copy
from lineside.contract.errors import LinesideError

_SCHEMA = (
    """
    CREATE TABLE facts (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    CREATE TABLE packages (
        name TEXT NOT NULL, version TEXT NOT NULL, package BLOB NOT NULL, PRIMARY KEY (name, version)
    ) STRICT;
    CREATE TABLE verified (document TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (document, target)) STRICT;
    CREATE TABLE processes (pid INTEGER PRIMARY KEY, started INTEGER NOT NULL, name TEXT NOT NULL) STRICT;
    CREATE TABLE outbox (sequence INTEGER PRIMARY KEY AUTOINCREMENT, report BLOB NOT NULL) STRICT;
    """,
    # An older agent leaves the column out: what it queues counts as state, which goes last.
    "ALTER TABLE outbox ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;",
)
"""One script a schema version; `PRAGMA user_version` counts how many have run."""


OLDEST = 1
"""The schema of the oldest agent that may write back what this one reads; a change that does not only add raises it."""
_MARK = 0x4C53_0000  # "LS": `PRAGMA application_id` is this and OLDEST
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_log = logging.getLogger(__name__)


class Damaged(sqlite3.DatabaseError):
    """The file can be opened, but what is in it is not sound."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


class Database:
    """A connection that several threads share, one transaction at a time.

    With `mend`, as the agent opens it, a file that cannot be used is put aside; `mended` then says why. Without, that
    is raised: `sqlite3.DatabaseError`, `state.newer_schema`.
    """

    def __init__(self, path: Path, *, mend: bool = False) -> None:
        self._path = path
        self._copy = Copy(path.with_name("agent.copy.json"))
        self._lock = threading.RLock()
        self._touched = False
        self._mend = mend
        self.mended: LinesideError | None = None
        try:
            self._connection = self._open()
        except (sqlite3.DatabaseError, LinesideError) as error:
            if not mend or not self._begin_anew(error):
                raise

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=10)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            self._check(connection)
            _migrate(connection)
            self._watch(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        """Raises `Damaged`, `state.newer_schema`."""
        version, mark = _version(connection), connection.execute("PRAGMA application_id").fetchone()[0]
        oldest = mark & 0xFFFF if mark & ~0xFFFF == _MARK else 1
        if version > len(_SCHEMA) and oldest > len(_SCHEMA):
            raise LinesideError("state.newer_schema", file=self._path, schema=version, known=len(_SCHEMA))
        if self._mend:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise Damaged(found)

    def _watch(self, connection: sqlite3.Connection) -> None:
        """Notice changes of what is copied."""
        if not self._mend:
            return
        connection.create_function("copied_changed", 0, self._touch)
        keys = ", ".join(f"'{key}'" for key in COPIED)
        for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
            connection.execute(
                f"CREATE TEMP TRIGGER copied_{event} AFTER {event} ON main.facts WHEN {row}.key IN ({keys}) "
                "BEGIN SELECT copied_changed(); END"
            )
        self._touched = self._copy.differs(connection)

    def _touch(self) -> None:
        self._touched = True

    # --- use ------------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All statements inside are kept together, or none is."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            if self._touched:
                self._write_copy()

    def _roll_back(self) -> None:
        """SQLite may have done it already, as on a full disk; and a commit that failed is no commit."""
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _write_copy(self) -> None:
        try:
            self._copy.write(self._connection)
            self._touched = False
        except (OSError, sqlite3.Error) as error:
            _log.warning("the copy of the state could not be written, and is older now: %s", error)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """For queries."""
        with self._lock:
            yield self._connection

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    # --- damage ---------------------------------------------------------------------------------------------------

    def mend(self, error: BaseException) -> bool:
        """If an error says that the file is damaged, put it aside and go on with a new one; whether that was so."""
        with self._lock:
            if not self._mend or not is_damage(error):
                return False
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            return self._begin_anew(error)

    def _begin_anew(self, error: BaseException) -> bool:
        if isinstance(error, LinesideError):
            self._put_aside(f"schema-{error.params['schema']}")
            self.mended = error
        elif is_damage(error):
            self._put_aside("damaged")
            self.mended = LinesideError("state.unreadable", file=self._path, why=error)
        else:
            return False
        _log.error("%s", self.mended)
        self._connection = self._open()
        self._touched = False
        with self.transaction() as rows:
            self._copy.restore(rows)
        return True

    def _put_aside(self, suffix: str) -> None:
        for ending in ("-wal", "-shm", ""):
            own = self._path.with_name(self._path.name + ending)
            if own.exists():
                own.replace(self._path.with_name(f"{self._path.name}.{suffix}{ending}"))


def is_damage(error: BaseException) -> bool:
    """Whether an error of SQLite says that the file itself is not sound."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.DatabaseError) and code is not None and code & 0xFF in _DAMAGED


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _migrate(connection: sqlite3.Connection) -> None:
    while (version := _version(connection)) < len(_SCHEMA):
        mark = f"PRAGMA user_version={version + 1};PRAGMA application_id={_MARK | OLDEST};"
        try:
            connection.executescript(f"BEGIN IMMEDIATE;{_SCHEMA[version]}{mark}COMMIT;")
        except sqlite3.OperationalError:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if _version(connection) == version:  # else a command on the same root was faster
                raise
