"""The database: its URL, its schema, and the keys of those who share it."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "start.database_url_invalid",
        Kind.REFUSED,
        "The setting database_url cannot be used: {why}.",
        "Leave it empty for SQLite, or write postgresql+psycopg://USER@HOST/NAME (docs/databases.md).",
    ),
    Problem(
        "start.database_unreachable",
        Kind.UNAVAILABLE,
        "The database does not answer: {why}",
        "See that it runs and takes this user, then start again.",
    ),
    Problem(
        "start.database_newer",
        Kind.CONFLICT,
        "A newer Lineside has upgraded this database (to {found}; this one knows {known}).",
        "Start that one, or restore the copy from before the upgrade (docs/databases.md).",
    ),
    Problem(
        "start.other_keys",
        Kind.CONFLICT,
        "The database belongs to control planes with other keys: {files} in {folder} differ.",
        "Copy R/keys of a control plane that uses this database, then start again (docs/databases.md).",
    ),
    Problem(
        "database.not_empty",
        Kind.CONFLICT,
        "The target database holds {rows} rows in {table}: nothing was copied.",
        "Name an empty database; a copy that was cut off leaves none behind.",
    ),
    Problem(
        "database.not_copied",
        Kind.REFUSED,
        "The table {table} could not be copied: {why}.",
        "Nothing was copied. Mend that row with sqlite3, then copy again.",
    ),
    Problem(
        "database.not_sqlite",
        Kind.REFUSED,
        "There is no {file}: only a control plane that runs on SQLite can be copied.",
        "Name its root: lineside database copy --root DIR --to URL",
    ),
    Problem(
        "loop.lease_lost",
        Kind.CONFLICT,
        "Another control plane has the loop {loop} now.",
        "Nothing: it goes on there.",
    ),
)
