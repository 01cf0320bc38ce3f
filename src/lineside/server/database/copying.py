"""Copies a control plane's database from SQLite to PostgreSQL: `lineside database copy`, which runs it as a program.

    LINESIDE_COPY_TO=postgresql+psycopg://… python -m lineside.server.database.copying ROOT

It prints a line of JSON a table, {"table": …, "rows": …}, or {"error": …} at the end. All of it is one transaction of
the target: a copy that is cut off leaves an empty database, and is run again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Boolean, Connection, Integer, Table, func, select, text
from sqlalchemy.exc import DBAPIError

from lineside.contract.errors import LinesideError
from lineside.server.adapters.tuf.shelf import TufFileRow
from lineside.server.database import Base, Database
from lineside.server.database.schema import bring_up
from lineside.server.root import Root

_LEFT = {"leases", "shared_keys", "audit_head", TufFileRow.__tablename__}
"""Tables whose rows are about who uses a database, and are made anew."""

_ROWS = 1000  # read at once
_FILE = "lineside.db"


def copy(root: Path, source: Database, target: Database, say: Callable[[str, int], None]) -> None:
    """Copy every row of `source`, and the signed metadata in R/tuf; `say` is told each table and its rows.

    Raises `database.not_empty`, `database.not_copied`, `start.database_url_invalid`, and what `bring_up` does.
    """
    if not target.shared:
        raise LinesideError("start.database_url_invalid", why="the target of a copy is PostgreSQL")
    bring_up(source)
    bring_up(target)
    with source.read() as reading, target.write() as writing:
        there, here = reading.connection(), writing.connection()
        _check_empty(here)
        for table in Base.metadata.sorted_tables:
            if table.name not in _LEFT:
                say(str(table.name), _copy_table(there, here, table))
        say(TufFileRow.__tablename__, _copy_metadata(here, root / "tuf"))
        set_sequences(here)


def main(root: Path, url: str) -> int:
    """Copy the database of a control plane that does not run; the exit status."""
    try:
        held = Root(root) if (root / _FILE).exists() else None
        if held is None:
            raise LinesideError("database.not_sqlite", file=root / _FILE)
        source, target = Database(f"sqlite:///{root / _FILE}"), Database(url)
        try:
            copy(root, source, target, lambda table, rows: _say({"table": table, "rows": rows}))
        finally:
            target.close()
            source.close()
            held.close()
    except LinesideError as error:
        _say({"error": error.report()})
        return 1
    return 0


def _say(value: Any) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def set_sequences(connection: Connection) -> None:
    """Let PostgreSQL number on after rows that brought their numbers with them."""
    for table in Base.metadata.sorted_tables:
        column = table.autoincrement_column
        if column is None or not isinstance(column.type, Integer):
            continue
        last = connection.scalar(select(func.max(column)))
        sequence = connection.scalar(select(func.pg_get_serial_sequence(f'"{table.name}"', column.name)))
        if last is not None and sequence is not None:
            connection.execute(select(func.setval(text(f"'{sequence}'"), last)))


def _check_empty(connection: Connection) -> None:
    for table in Base.metadata.sorted_tables:
        rows = connection.scalar(select(func.count()).select_from(table))
        if rows:
            raise LinesideError("database.not_empty", table=table.name, rows=rows)


def _copy_table(there: Connection, here: Connection, table: Table) -> int:
    """By COPY, as the values lie there: nothing is decoded on the way."""
    names = [column.name for column in table.columns]
    quoted = ", ".join(f'"{name}"' for name in names)
    booleans = [at for at, column in enumerate(table.columns) if isinstance(column.type, Boolean)]
    rows = there.exec_driver_sql(f'SELECT {quoted} FROM "{table.name}"').yield_per(_ROWS)
    return _write(here, table.name, quoted, (_booleans(row, booleans) for row in rows))


def _copy_metadata(here: Connection, folder: Path) -> int:
    files = [path for path in sorted(folder.iterdir()) if path.suffix == ".json"] if folder.is_dir() else []
    rows = ([path.name, path.read_bytes()] for path in files)
    return _write(here, TufFileRow.__tablename__, "name, data", rows)


def _booleans(row: Sequence[Any], which: Sequence[int]) -> list[Any]:
    values = list(row)
    for at in which:
        values[at] = None if values[at] is None else bool(values[at])
    return values


def _write(here: Connection, table: str, columns: str, rows: Iterator[list[Any]]) -> int:
    driver = here.connection.driver_connection
    assert driver is not None
    count = 0
    try:
        with driver.cursor() as cursor, cursor.copy(f'COPY "{table}" ({columns}) FROM STDIN') as copying:
            for row in rows:
                copying.write_row(row)
                count += 1
    except (_driver_error(), DBAPIError, ValueError) as error:
        primary = getattr(getattr(error, "diag", None), "message_primary", None)
        raise LinesideError("database.not_copied", table=table, why=primary or error) from None  # it may quote a row
    return count


def _driver_error() -> type[Exception]:
    """What psycopg raises; imported only by who has it."""
    import psycopg

    return psycopg.Error


if __name__ == "__main__":
    import lineside.server.process  # noqa: F401 every table there is

    sys.exit(main(Path(sys.argv[1]), os.environ["LINESIDE_COPY_TO"]))
