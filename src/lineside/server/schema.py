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
from sqlalchemy import Connection

from lineside.server.database import Base, Database

_MIGRATIONS = Path(__file__).parent / "migrations"


def bring_up(database: Database) -> None:
    """Run the migrations that are missing."""
    with database.write() as session:
        connection = session.connection()
        if MigrationContext.configure(connection).get_current_revision() != head():
            command.upgrade(_config(connection), "head")


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
