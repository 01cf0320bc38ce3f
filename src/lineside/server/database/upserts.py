"""INSERT … ON CONFLICT, said once for both databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import CursorResult, Select, inspect
from sqlalchemy.orm import Session

from lineside.server.database import Base


def insert_into(session: Session, table: type[Base]) -> Any:
    """The dialect's INSERT, for `on_conflict_do_update` and `on_conflict_do_nothing`, which both have alike."""
    if session.get_bind().dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def add_missing(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows by attribute; those whose key is there already are passed over."""
    if rows:
        session.execute(insert_into(session, table).on_conflict_do_nothing(), [dict(row) for row in rows])


def upsert(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]], *columns: str) -> None:
    """Insert rows by attribute; where the primary key is there already, set `columns`, or all that were given.

    All rows name the same attributes. A key that comes twice takes its last row.
    """
    if not rows:
        return
    keys = primary_key(table)
    last = {tuple(row[key] for key in keys): dict(row) for row in rows}
    wanted = columns or tuple(name for name in rows[0] if name not in keys)
    statement = insert_into(session, table)
    if wanted:
        changes = {_column(table, name): statement.excluded[_column(table, name)] for name in wanted}
        statement = statement.on_conflict_do_update(index_elements=_columns(table, keys), set_=changes)
    else:
        statement = statement.on_conflict_do_nothing()
    session.execute(statement, list(last.values()))


def upsert_from(session: Session, table: type[Base], names: Sequence[str], query: Select[Any], *columns: str) -> int:
    """Insert what a query gives into the attributes `names`; where the primary key is there already, set `columns`,
    or all that are no key. The query needs a WHERE (SQLite reads ON CONFLICT as a join's ON without one). The number
    of rows."""
    keys = primary_key(table)
    statement = insert_into(session, table).from_select([_column(table, name) for name in names], query)
    wanted = columns or tuple(name for name in names if name not in keys)
    changes = {_column(table, name): statement.excluded[_column(table, name)] for name in wanted}
    statement = statement.on_conflict_do_update(index_elements=_columns(table, keys), set_=changes)
    return cast("CursorResult[Any]", session.execute(statement)).rowcount


def primary_key(table: type[Base]) -> tuple[str, ...]:
    """The attributes of the primary key."""
    mapper = inspect(table)
    return tuple(mapper.get_property_by_column(column).key for column in mapper.primary_key)


def _column(table: type[Base], attribute: str) -> str:
    return str(inspect(table).columns[attribute].name)


def _columns(table: type[Base], attributes: Sequence[str]) -> list[str]:
    return [_column(table, name) for name in attributes]
