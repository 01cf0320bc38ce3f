"""Migrations lead to exactly the tables the code has, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect, text
from sqlalchemy.exc import OperationalError

import lineside.server.process  # noqa: F401 every table there is
from lineside.server.database import Base, Database
from lineside.server.database.migrating import differences, upgrade
from lineside.server.database.schema import MIGRATIONS, bring_up, head, known


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'lineside.db'}")
    yield opened
    opened.close()


def tables(database: Database) -> set[str]:
    with database.read() as session:
        return set(inspect(session.connection()).get_table_names())


def test_migrations_equal_the_code(database: Database) -> None:
    """When this fails: python -m lineside.server.database.migrating WHAT_CHANGED, and read what it wrote."""
    migrate(database)
    with database.read() as session:
        assert differences(session.connection()) == []
    assert tables(database) == Base.metadata.tables.keys() | {"alembic_version"}


def test_what_autogenerate_does_not_compare_is_equal_too(database: Database, tmp_path: Path) -> None:
    """Keys, uniqueness, autoincrement: SQLite's own words for both, without names of order."""
    migrate(database)
    made = Database(f"sqlite:///{tmp_path / 'made.db'}")
    bring_up(made)
    migrated, expected = (_definitions(each) for each in (database, made))
    rows = [_rows(each) for each in (database, made)]
    made.close()
    assert migrated == expected
    assert rows == [{"alembic_version": [(head(),)]}] * 2


def migrate(database: Database) -> None:
    """Every migration, from the first one on."""
    with database.write() as session:
        upgrade(session.connection())


def _rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    with database.read() as session:
        found = {name: session.execute(text(f'SELECT * FROM "{name}"')).all() for name in sorted(tables(database))}
    return {name: [tuple(row) for row in rows] for name, rows in found.items() if rows}


def _definitions(database: Database) -> dict[str, list[str]]:
    with database.read() as session:
        rows = session.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")).all()
    return {name: sorted(_parts(sql)) for name, sql in rows}


def _parts(sql: str) -> list[str]:
    """A definition's columns and constraints: a column that was added later stands in another place and line."""
    head, _, body = " ".join(sql.replace('"', "").split()).partition("(")
    parts, depth = [head.strip()], 0
    part = ""
    for letter in body:
        depth += (letter == "(") - (letter == ")")
        if (letter == "," and depth == 0) or depth < 0:
            parts.append(part.strip().replace("( ", "(").replace(" )", ")"))
            part, depth = "", max(depth, 0)
        else:
            part += letter
    return [*parts, part.strip()]


def test_migrations_are_known_by_the_names_of_their_files() -> None:
    """A start that has nothing to migrate reads no script."""
    scripts = ScriptDirectory(str(MIGRATIONS))
    assert known() == {script.revision for script in scripts.walk_revisions()}
    assert head() == scripts.get_current_head()


def test_a_second_start_changes_nothing(database: Database) -> None:
    bring_up(database)
    bring_up(database)
    with database.read() as session:
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == head()


@pytest.mark.parametrize("make", [bring_up, migrate])
def test_a_start_that_is_cut_off_leaves_nothing_half_made(database: Database, make: Callable[[Database], None]) -> None:
    seen = 0

    def fail_late(*arguments: object) -> None:
        nonlocal seen
        seen += "CREATE TABLE" in str(arguments[2])
        if seen == 5:
            raise OperationalError("power", None, OSError("cut"))

    event.listen(database.engine, "before_cursor_execute", fail_late)
    with pytest.raises(OperationalError):
        make(database)
    event.remove(database.engine, "before_cursor_execute", fail_late)
    assert tables(database) == set()
    make(database)
    assert "events" in tables(database)
