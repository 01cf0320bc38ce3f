"""Writes `rows.sql`: a small database of the release before, as INSERTs that SQLite and PostgreSQL read alike.

    python -m tests.server.previous.make HOUSE.db [FURTHER.db …] > tests/server/previous/rows.sql

The files are SQLite databases that the tests of that release left: HOUSE.db is what tests/server/lineage plays (images,
a run, a model, its approval, a rollout to a device, a decision, a capture); tables that are empty in it take rows from
the others, and what no test leaves stands in `_BY_HAND`. Nothing in it is secret: passwords and tokens are blanked.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Boolean, Connection, MetaData, Table, create_engine

_ROWS = 4
_BLANKED = {"password", "hash"}  # of people, tokens and sessions; the audit trail's hashes are its point
_BY_HAND = {
    "leases": {"name": "rollouts", "holder": "plant:/var/lib/lineside", "until": "2026-01-01T00:00:15.000Z"},
    "one_time_links": {"user": "ann", "hash": "6" * 64, "expires_at": "2026-01-02T00:00:00.000Z"},
    "preauthorised": {
        "fingerprint": "7" * 64,
        "name": "cam-9",
        "group": "hall",
        "created_at": "2026-01-01T00:00:00.000Z",
    },
    "results_refused": {
        "device": "cam-1",
        "count": 2,
        "last_at": "2026-01-01T00:00:00.000Z",
        "why": "Expected `str`, got `int`",
    },
    "step_cache": {
        "key": "k" * 64,
        "outputs": '{"n":1}',
        "run": "run-1",
        "stored_at": "2026-01-01T00:00:00.000Z",
    },
}


def main(files: list[str]) -> None:
    """Print the statements."""
    engines = [create_engine(f"sqlite:///{file}") for file in files]
    tables = MetaData()
    tables.reflect(engines[0])
    chosen: dict[str, list[dict[str, Any]]] = {}
    for table in tables.sorted_tables:
        if table.name == "alembic_version":
            continue
        for engine in engines:
            with engine.connect() as connection:
                chosen[table.name] = list(_fitting(connection, table, chosen, all_=engine is engines[0]))
            if chosen[table.name]:
                break
        for row in chosen[table.name] or list(_by_hand(table)):
            sys.stdout.write(_statement(table, _blanked(table, row)))


def _fitting(
    connection: Connection, table: Table, chosen: dict[str, list[dict[str, Any]]], *, all_: bool
) -> Iterator[dict[str, Any]]:
    """Rows whose foreign keys have been chosen; those of devices that were not are given to one that was."""
    taken = 0
    for found in connection.execute(table.select()).mappings():
        row = dict(found)
        for key in table.foreign_keys:
            there = {one[key.column.name] for one in chosen.get(key.column.table.name, ())}
            if row[key.parent.name] is not None and row[key.parent.name] not in there and key.column.name == "name":
                row[key.parent.name] = sorted(there)[0] if there else None
            if row[key.parent.name] is not None and row[key.parent.name] not in there:
                break
        else:
            yield row
            taken += 1
        if taken == _ROWS and not all_:
            return


def _by_hand(table: Table) -> Iterator[dict[str, Any]]:
    row = _BY_HAND.get(table.name)
    if row is None:
        raise SystemExit(f"no rows for {table.name}")
    missing = {column.name for column in table.columns if not column.nullable} - row.keys()
    if missing:
        raise SystemExit(f"{table.name} by hand lacks {missing}")
    yield row


def _blanked(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    if table.name == "audit":
        return row
    first = next(iter(table.primary_key.columns)).name
    return {name: _blank(value) if name in _BLANKED - {first} and value else value for name, value in row.items()}


def _blank(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _statement(table: Table, row: dict[str, Any]) -> str:
    names = ", ".join(f'"{name}"' for name in row)
    values = ", ".join(_literal(table, name, value) for name, value in row.items())
    return f'INSERT INTO "{table.name}" ({names}) VALUES ({values});\n'


def _literal(table: Table, name: str, value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(table.columns[name].type, Boolean):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


if __name__ == "__main__":
    main(sys.argv[1:])
