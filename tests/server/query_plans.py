"""How SQLite finds what is asked for: the plans of the statements that a question sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event

from lineside.server.database import Database


def plans(database: Database, table: str, ask: Callable[[], object]) -> list[list[str]]:
    """The steps of each SELECT that names a table."""
    asked: list[tuple[str, Any]] = []

    def listen(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT") and table in statement:
            asked.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        ask()
    finally:
        event.remove(Engine, "before_cursor_execute", listen)
    found = []
    with database.engine.connect() as connection:
        for statement, parameters in asked:
            rows = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)
            found.append([str(row[-1]) for row in rows])
    assert found
    return found
