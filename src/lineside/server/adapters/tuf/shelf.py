"""Where a repository's files lie: in a folder, or in the database that several control planes share.

Both keep the same promises: a file is there whole or not at all once `write` has returned, also after a power cut; one
at a time has the lock, whichever thread, process or machine it is; and a lock goes with whoever dies.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, LargeBinary, String, delete, insert, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from lineside.server.adapters.files import sync_folder, write_atomic
from lineside.server.database import Base, Database

_LOCK = 0x4C53_5455  # PostgreSQL's advisory lock of the repository


class Shelf(Protocol):
    """The files of one repository by name. Who writes, removes or looks twice has the lock."""

    def locked(self) -> AbstractContextManager[None]:
        """Have the files for oneself. Not within itself."""
        ...

    def names(self) -> list[str]:
        """What lies here, in no order."""
        ...

    def read(self, name: str) -> bytes:
        """A file. Raises FileNotFoundError."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Put a file in its place."""
        ...

    def remove(self, name: str) -> None:
        """Take a file away; none is there is well, too."""
        ...

    def stamp(self, name: str) -> int:
        """A number that changes when a file is written. Raises FileNotFoundError."""
        ...


class FolderShelf:
    """Files of a folder."""

    def __init__(self, folder: Path, write: Callable[[Path, bytes], None] = write_atomic) -> None:
        """The folder is made when needed."""
        self._folder, self._write = folder, write
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        with (self._folder / ".lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def names(self) -> list[str]:
        return [path.name for path in self._folder.iterdir()]

    def read(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        self._write(self._folder / name, data)

    def remove(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)
        sync_folder(self._folder)

    def stamp(self, name: str) -> int:
        return (self._folder / name).stat().st_mtime_ns


class TufFileRow(Base):
    """A file of the repository; `revision` counts how often it was written."""

    __tablename__ = "tuf_files"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    revision: Mapped[int] = mapped_column(server_default="0")


class DatabaseShelf:
    """Rows of a PostgreSQL database, each written in a transaction of its own.

    The lock is the session's, on a connection of its own that also writes: when the connection is lost, so are both.
    """

    def __init__(self, database: Database) -> None:
        self._engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._mine = threading.local()

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self._engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
            self._mine.connection = connection
            try:
                yield
            finally:
                self._mine.connection = None
                if not connection.invalidated:
                    connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})

    def names(self) -> list[str]:
        with self._connected() as connection:
            return list(connection.scalars(select(TufFileRow.name)))

    def read(self, name: str) -> bytes:
        with self._connected() as connection:
            data = connection.scalar(select(TufFileRow.data).where(TufFileRow.name == name))
        if data is None:
            raise FileNotFoundError(name)
        return bytes(data)

    def write(self, name: str, data: bytes) -> None:
        again = update(TufFileRow).where(TufFileRow.name == name)
        with self._connected() as connection:
            done = connection.execute(again.values(data=data, revision=TufFileRow.revision + 1))
            if not done.rowcount:
                connection.execute(insert(TufFileRow).values(name=name, data=data))

    def remove(self, name: str) -> None:
        with self._connected() as connection:
            connection.execute(delete(TufFileRow).where(TufFileRow.name == name))

    def stamp(self, name: str) -> int:
        with self._connected() as connection:
            revision = connection.scalar(select(TufFileRow.revision).where(TufFileRow.name == name))
        if revision is None:
            raise FileNotFoundError(name)
        return revision

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """The connection that has the lock, where this thread has it."""
        mine: Connection | None = getattr(self._mine, "connection", None)
        if mine is not None:
            yield mine
            return
        with self._engine.connect() as connection:
            yield connection


def open_shelf(database: Database, folder: Path) -> Shelf:
    """Where a control plane's repository lies: in a database that is shared; else in its folder, so that bringing back
    an older database does not bring back older metadata, which devices refuse."""
    return DatabaseShelf(database) if database.shared else FolderShelf(folder)
