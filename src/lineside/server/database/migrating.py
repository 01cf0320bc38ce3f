"""Migrations: Alembic's scripts in `migrations/versions`, and how they are run and written.

`python -m lineside.server.database.migrating WHAT_CHANGED` writes the next one.
"""

from __future__ import annotations

import sys
import tempfile
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from lineside.server.database import Base, Database
from lineside.server.database.schema import MIGRATIONS, head


def upgrade(connection: Connection, to: str = "head") -> None:
    """Run the migrations that are missing, up to `to`, in the connection's transaction."""
    command.upgrade(_config(connection), to)


def differences(connection: Connection) -> list[Any]:
    """What the code's tables have that the database's have not, and the other way round."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, Base.metadata))


def write_migration(what: str) -> None:
    """Write a migration from the newest schema to the code's tables, to be read and corrected by a person."""
    import lineside.server.process  # noqa: F401 every table there is

    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/migrated.db")
        with database.write() as session:
            upgrade(session.connection())
            number = f"{int(head()) + 1:04}"
            command.revision(_config(session.connection()), what, autogenerate=True, rev_id=number)
        database.close()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


if __name__ == "__main__":
    write_migration(" ".join(sys.argv[1:]))
