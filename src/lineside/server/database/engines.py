"""Engines: how each kind of database is set up, so that `Database` promises the same on both.

SQLite runs in WAL with `synchronous=FULL`: a commit is on the disk before its answer leaves. With NORMAL a power cut
may undo the last commits, and a device has by then dropped the report, or a person seen the approval, that they held.

PostgreSQL is told to end what hangs: a statement after a minute, a transaction that nobody goes on with after a minute,
the session of a machine that is gone after about eleven seconds; what it held is free then for the others.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from lineside.contract.errors import LinesideError

BUSY_TIMEOUT = 10_000
"""Milliseconds a SQLite statement waits for another process's write."""

MODE = "lineside_mode"
"""The execution option that says what a connection is for: `read` or `write`."""

WRITE_LOCK = 0x4C53_4155
"""PostgreSQL's advisory lock that every write holds until it has committed."""

POSTGRESQL_SETTINGS = {
    "application_name": "lineside",
    "statement_timeout": "60s",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "jit": "off",  # compiling takes ten times as long as what is asked for here
}
"""What every session asks of the server; `options=…` in the URL is added and wins."""

_CLIENT = {"connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
_POOL: dict[str, Any] = {"pool_size": 16, "max_overflow": 32, "hide_parameters": True}  # values are not for logs


def open_engine(url: str) -> Engine:
    """The engine of a SQLAlchemy URL; nothing is connected yet. Raises `start.database_url_invalid`."""
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed, **_POOL)
        event.listen(engine, "connect", _connect_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        # the ping costs one round trip a transaction, and a restarted server then costs nobody an error
        engine = create_engine(parsed, pool_pre_ping=True, connect_args=_connect_args(parsed), **_POOL)
    except ModuleNotFoundError as error:
        why = f"its driver is not installed ({error.name}): pip install 'lineside[postgresql]'"
        raise LinesideError("start.database_url_invalid", why=why) from error
    event.listen(engine, "handle_error", _without_values)
    return engine


def reading(engine: Engine) -> Engine:
    """The engine for transactions that see one moment of the database and cannot change it."""
    options: dict[str, Any] = {MODE: "read"}
    if engine.dialect.name == "postgresql":
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return engine.execution_options(**options)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        known = parsed.get_backend_name() in ("sqlite", "postgresql") and parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise LinesideError("start.database_url_invalid", why="it is no SQLAlchemy URL") from error
    if not known or parsed.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise LinesideError("start.database_url_invalid", why=f"{parsed.drivername} is not one of its engines")
    return parsed


def _connect_args(url: URL) -> dict[str, Any]:
    told = " ".join(f"-c {name}={value}" for name, value in POSTGRESQL_SETTINGS.items())
    return {**{name: value for name, value in _CLIENT.items() if name not in url.query}, "options": _with(told, url)}


def _with(told: str, url: URL) -> str:
    own = url.query.get("options", "")
    return " ".join((told, own if isinstance(own, str) else " ".join(own))).strip()


def _without_values(context: ExceptionContext) -> None:
    """PostgreSQL's DETAIL quotes rows, and errors go to logs: leave its first line."""
    primary = getattr(getattr(context.original_exception, "diag", None), "message_primary", None)
    if primary and context.sqlalchemy_exception is not None:
        context.original_exception.args = (primary,)
        context.sqlalchemy_exception.args = (primary,)


def _connect_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself: see _begin_sqlite
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT}", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    mode = connection.get_execution_options().get(MODE)
    connection.exec_driver_sql(f"PRAGMA query_only={'ON' if mode == 'read' else 'OFF'}")
    connection.exec_driver_sql("BEGIN" if mode == "read" else "BEGIN IMMEDIATE")
