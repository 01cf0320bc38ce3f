"""One question that is asked very often: a SELECT made once, on a connection of its own, without a session.

A session costs ten times what SQLite needs to find a row. On SQLite the answer is there before a thread would have
begun to look for it, so it is given on the event loop; PostgreSQL is asked from a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Select

from lineside.server.database import Database
from lineside.server.database.together import Together

Values = dict[str, Any]
Found = tuple[Any, ...] | None

_PAGES_KIB = 32_768  # of the database that the connection keeps in memory: the tables' inner pages and busy leaves


class Lookup:
    """`await lookup({"name": …})` gives the first row of a SELECT, or None; columns as the driver gives them.

    Each sees what is committed when it is asked. `bindparam`s without a value are what changes.
    """

    def __init__(self, database: Database, name: str, statement: Select[Any]) -> None:
        self._database = database
        compiled = statement.compile(dialect=database.engine.dialect)
        self._sql = str(compiled)
        self._constant = compiled.params
        self._positions: Sequence[str] | None = getattr(compiled, "positiontup", None)
        self._connection: Any = None
        self._turn = threading.Lock()
        self._here = database.engine.dialect.name == "sqlite"
        self._elsewhere: Together[Values, Found] = Together(name, self._all)
        database.at_close(self._close)

    async def __call__(self, values: Values) -> Found:
        if self._here:
            return self._one(values)
        return await self._elsewhere(values)

    def _all(self, several: Sequence[Values]) -> Sequence[Found | Exception]:
        return [self._one(values) for values in several]

    def _one(self, values: Values) -> Found:
        arguments = self._arguments(values)
        with self._turn:
            if self._connection is not None:
                with suppress(self._database.engine.dialect.loaded_dbapi.OperationalError):
                    return self._asked(arguments)
                self._forget()  # the database was started anew
            self._connection = self._connect()
            return self._asked(arguments)

    def _asked(self, arguments: Any) -> Found:
        # All of it: a statement that is not read to its end keeps the moment it has seen.
        rows = self._connection.execute(self._sql, arguments).fetchall()
        return tuple(rows[0]) if rows else None

    def _arguments(self, values: Values) -> Any:
        found = {**self._constant, **values}
        return found if self._positions is None else [found[name] for name in self._positions]

    def _connect(self) -> Any:
        borrowed = self._database.engine.raw_connection()
        connection: Any = borrowed.driver_connection
        borrowed.detach()
        if self._here:
            connection.execute("PRAGMA query_only=ON").close()
            connection.execute(f"PRAGMA cache_size=-{_PAGES_KIB}").close()
        else:
            connection.autocommit = True
            connection.read_only = True
        return connection

    def _close(self) -> None:
        with self._turn:
            self._forget()

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(self._database.engine.dialect.loaded_dbapi.Error):
                connection.close()
