"""Brings a database to the present schema: a new SQLite file gets the code's tables, every other database the
migrations that it lacks (`migrating`).

Either is one transaction, so a cut-off start leaves the schema as it was. A test holds that both come to the same.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, inspect, select, text
from sqlalchemy.exc import OperationalError

from lineside.contract.errors import LinesideError
from lineside.server.database import Base, Database

MIGRATIONS = Path(__file__).parent / "migrations"

_REVISION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Alembic's own table: the name of the last migration, in one row."""


def bring_up(database: Database, to: str = "head") -> None:
    """Make the tables, or run the migrations that are missing, up to `to`. Where control planes share a database the
    first one runs them, while those of the release before go on (docs/databases.md).

    Raises `start.database_unreachable`, `start.database_newer`.
    """
    try:
        with database.write() as session:
            connection = session.connection()
            if database.shared:  # a migration takes the time that it takes
                connection.execute(text("SET LOCAL statement_timeout = 0"))
            tables = inspect(connection).get_table_names()
            found = connection.scalar(select(_REVISION.c.version_num)) if _REVISION.name in tables else None
            if found is not None and found not in known():
                raise LinesideError("start.database_newer", found=found, known=head())
            if not tables and not database.shared and to == "head":
                _make(connection)
            elif found != (head() if to == "head" else to):
                from lineside.server.database import (
                    migrating,  # it takes a sixth of a second, and most starts need it not
                )

                migrating.upgrade(connection, to)
    except OperationalError as error:
        if not error.connection_invalidated and error.statement is not None:
            raise
        raise LinesideError("start.database_unreachable", why=str(error.orig).strip().splitlines()[0]) from error


def _make(connection: Connection) -> None:
    Base.metadata.create_all(connection)
    _REVISION.create(connection)
    connection.execute(_REVISION.insert().values(version_num=head()))


def known() -> set[str]:
    """The names of all migrations: the numbers that their files begin with."""
    return {file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("*_*.py")}


def head() -> str:
    """The newest migration's name."""
    return max(known())
