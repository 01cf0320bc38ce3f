"""The database: one `Base` for every room's tables, and two ways in: `read()` and `write()`.

Both promise the same on SQLite and on PostgreSQL (`engines`), also where several control planes share the second:
a read sees one moment, and writes come one after the other. So nobody's code is run again, and none needs a lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Dialect, Integer, MetaData, Text, text
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from lineside.server.database.engines import MODE, WRITE_LOCK, open_engine, reading

_AT_END = "lineside_at_end"
_TAKE_LOCK = text(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")

Check = Callable[[Session], None]


BIG = BigInteger().with_variant(Integer(), "sqlite")
"""Numbers that pass 2^31 in a fleet's life; every INTEGER of SQLite has 64 bits."""


class Base(DeclarativeBase):
    """What every table inherits. Names of constraints are fixed here, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Json(TypeDecorator[Any]):
    """A column holding a msgspec value as JSON text: `mapped_column(Json(Report))`, `Json(tuple[Step, ...])`."""

    impl = Text
    cache_ok = True

    def __init__(self, type_: Any = Any) -> None:
        super().__init__()
        self.type_ = type_

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else msgspec.json.decode(value, type=self.type_)


class Database:
    """Sessions on one database. A value changed in place inside a `Json` column is not seen: assign a new one."""

    def __init__(self, url: str) -> None:
        """Open the database at a SQLAlchemy URL; nothing is connected yet. Raises `start.database_url_invalid`."""
        self.engine = open_engine(url)
        self.shared = self.engine.dialect.name == "postgresql"
        """Whether other control planes may use it at the same time."""
        self._reader = reading(self.engine)
        self._writer = self.engine.execution_options(**{MODE: "write"})
        self._turn = threading.Lock()
        self._inside = threading.local()
        self._closing: list[Callable[[], None]] = []

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment of the database and cannot change it."""
        with Session(self._reader, expire_on_commit=False, autoflush=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that commits at the end, or undoes everything when an error leaves the block.

        It has the database's write lock from its beginning (BEGIN IMMEDIATE on SQLite, an advisory lock on PostgreSQL),
        so what is read inside cannot have changed before the commit. Raises RuntimeError when the same thread is
        already inside one: pass the session on instead. Raises what the thread's check does, see `checked`.
        """
        if getattr(self._inside, "write", False):
            raise RuntimeError("write() inside write(): pass the session on")
        with (
            self._taking_turns(),
            Session(self._writer, expire_on_commit=False) as session,
            ExitStack() as end,
            session.begin(),
        ):
            session.connection()  # begin now, not at the first statement
            if self.shared:
                session.execute(_TAKE_LOCK)
            for check in getattr(self._inside, "checks", ()):
                check(session)
            yield session
            for context in session.info.pop(_AT_END, ()):
                end.enter_context(context(session))

    @contextmanager
    def checked(self, check: Check) -> Iterator[None]:
        """Within it, every write of this thread begins with `check`; its error undoes the write before it began."""
        before = getattr(self._inside, "checks", ())
        self._inside.checks = (*before, check)
        try:
            yield
        finally:
            self._inside.checks = before

    @contextmanager
    def _taking_turns(self) -> Iterator[None]:
        # SQLite's own waiting sleeps between tries and is not fair, and who waits at PostgreSQL takes a connection for
        # it; threads of this process queue here instead.
        with self._turn:
            self._inside.write = True
            try:
                yield
            finally:
                self._inside.write = False

    def at_close(self, end: Callable[[], None]) -> None:
        """Call `end` when this is closed: for who has taken a connection for good."""
        self._closing.append(end)

    def close(self) -> None:
        """Close every connection."""
        for end in self._closing:
            end()
        self.engine.dispose()


def at_end(session: Session, context: Callable[[Session], AbstractContextManager[None]]) -> None:
    """Enter `context` as the last thing before this write commits, and leave it after the commit, or with its error."""
    session.info.setdefault(_AT_END, []).append(context)
