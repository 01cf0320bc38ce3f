"""Brings a database to the present schema; `python -m lineside.server.schema WHAT_CHANGED` writes the next migration.

Migrations lie in `migrations/versions`; each runs in one transaction, so a cut-off start leaves the schema as it was.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from lineside.contract.errors import LinesideError
from lineside.server.database import Base, Database

_MIGRATIONS = Path(__file__).parent / "migrations"


def bring_up(database: Database, to: str = "head") -> None:
    """Run the migrations that are missing, up to `to`. Where control planes share a database the first one runs them,
    while those of the release before go on (docs/databases.md).

    Raises `start.database_unreachable`, `start.database_newer`.
    """
    try:
        with database.write() as session:
            connection = session.connection()
            if database.shared:  # a migration takes the time that it takes
                connection.execute(text("SET LOCAL statement_timeout = 0"))
            found = MigrationContext.configure(connection).get_current_revision()
            if found is not None and found not in _known():
                raise LinesideError("start.database_newer", found=found, known=head())
            if found != (head() if to == "head" else to):
                command.upgrade(_config(connection), to)
    except OperationalError as error:
        if not error.connection_invalidated and error.statement is not None:
            raise
        raise LinesideError("start.database_unreachable", why=str(error.orig).strip().splitlines()[0]) from error


def _known() -> set[str]:
    return {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}


def head() -> str | None:
    """The newest migration's name."""
    return ScriptDirectory(str(_MIGRATIONS)).get_current_head()


def differences(connection: Connection) -> list[Any]:
    """What the code's tables have that the database's have not, and the other way round."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, Base.metadata))


def write_migration(what: str) -> None:
    """Write a migration from the newest schema to the code's tables, to be read and corrected by a person."""
    import lineside.server.process  # noqa: F401 every table there is

    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/migrated.db")
        bring_up(database)
        with database.write() as session:
            number = f"{len(list((_MIGRATIONS / 'versions').glob('*.py'))) + 1:04}"
            command.revision(_config(session.connection()), what, autogenerate=True, rev_id=number)
        database.close()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


if __name__ == "__main__":
    write_migration(" ".join(sys.argv[1:]))
