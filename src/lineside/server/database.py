"""The database: one engine, one `Base` for every room's tables, and two ways in: `read()` and `write()`.

SQLite runs in WAL with `synchronous=FULL`: a commit is on the disk before its answer leaves. With NORMAL a power cut
may undo the last commits, and a device has by then dropped the report, or a person seen the approval, that they held.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection, Dialect, Engine, MetaData, Text, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

BUSY_TIMEOUT = 10_000
"""Milliseconds a SQLite statement waits for another process's write."""

_POOL: dict[str, Any] = {"pool_size": 16, "max_overflow": 32, "hide_parameters": True}  # values are not for logs

_MODE = "lineside_mode"
_AT_END = "lineside_at_end"


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
        """Open the database at a SQLAlchemy URL; nothing is connected yet."""
        self.engine = _engine(url)
        self._reader = self.engine.execution_options(**{_MODE: "read"})
        self._writer = self.engine.execution_options(**{_MODE: "write"})
        self._turn = threading.Lock() if self.engine.dialect.name == "sqlite" else None
        self._inside = threading.local()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment of the database and cannot change it."""
        with Session(self._reader, expire_on_commit=False, autoflush=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that commits at the end, or undoes everything when an error leaves the block.

        SQLite takes its write lock at the beginning (BEGIN IMMEDIATE), so what is read inside cannot have changed
        before the commit. Raises RuntimeError when the same thread is already inside one: pass the session on instead.
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
            yield session
            for context in session.info.pop(_AT_END, ()):
                end.enter_context(context(session))

    @contextmanager
    def _taking_turns(self) -> Iterator[None]:
        # SQLite's own waiting sleeps between tries and is not fair; threads of this process queue here instead.
        if self._turn is not None:
            self._turn.acquire()
        self._inside.write = True
        try:
            yield
        finally:
            self._inside.write = False
            if self._turn is not None:
                self._turn.release()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def at_end(session: Session, context: Callable[[Session], AbstractContextManager[None]]) -> None:
    """Enter `context` as the last thing before this write commits, and leave it after the commit, or with its error."""
    session.info.setdefault(_AT_END, []).append(context)


def _engine(url: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        engine = create_engine(url, pool_pre_ping=True, **_POOL)
        event.listen(engine, "begin", _begin_other)
        return engine
    engine = create_engine(url, **_POOL)
    event.listen(engine, "connect", _connect_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _connect_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself: see _begin_sqlite
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT}", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    mode = connection.get_execution_options().get(_MODE)
    connection.exec_driver_sql(f"PRAGMA query_only={'ON' if mode == 'read' else 'OFF'}")
    connection.exec_driver_sql("BEGIN" if mode == "read" else "BEGIN IMMEDIATE")


def _begin_other(connection: Connection) -> None:
    if connection.get_execution_options().get(_MODE) == "read":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
