"""A database of the release before: its schema is migration 0010, its rows lie in rows.sql (`make` wrote them)."""

from __future__ import annotations

from pathlib import Path

from lineside.server.database import Database

HEAD = "0010"
"""The newest migration of that release."""

_ROWS = Path(__file__).with_name("rows.sql")


def statements() -> list[str]:
    """The INSERTs, in an order that foreign keys allow."""
    first, *others = _ROWS.read_text().removesuffix(";\n").split(";\nINSERT INTO ")
    return [first, *(f"INSERT INTO {other}" for other in others)]


def fill(database: Database, but_for: str | None = None) -> None:
    """Write the rows as the release before could have written them, whatever the schema is by now; `but_for` names a
    table that is left out."""
    with database.write() as session:
        connection = session.connection().connection.driver_connection
        assert connection is not None
        for statement in statements():
            if not statement.startswith(f'INSERT INTO "{but_for}" '):
                connection.execute(statement).close()
