"""From one release to the next, on SQLite and on PostgreSQL: a database of the release before is upgraded with all its
rows, and the code of the release before goes on with the new schema while control planes are upgraded one by one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, Table, func, inspect, select, text

import lineside.server.process  # noqa: F401 every table there is
from lineside.contract.errors import LinesideError
from lineside.server.access.trail import AuditTrail, Wanted
from lineside.server.database import Base, Database
from lineside.server.database.copying import set_sequences
from lineside.server.database.migrating import differences
from lineside.server.database.schema import bring_up, head
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.services import Core
from lineside.server.testing import FakeClock
from tests.server.previous import HEAD, fill

pytestmark = pytest.mark.both_databases


def old_tables(database: Database) -> MetaData:
    """The schema of the release before, as the database itself describes it."""
    bring_up(database, HEAD)
    tables = MetaData()
    with database.read() as session:
        tables.reflect(session.connection())
    tables.remove(tables.tables["alembic_version"])
    return tables


def rows(database: Database, table: Table) -> list[dict[str, Any]]:
    """What the release before would read."""
    key = list(table.primary_key.columns)
    with database.read() as session:
        return [dict(row) for row in session.execute(select(table).order_by(*key)).mappings()]


def test_a_database_from_nothing_is_what_the_code_wants(new: Core) -> None:
    bring_up(new.database)
    with new.database.read() as session:
        assert differences(session.connection()) == []
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == head()


def test_the_rows_are_of_every_table_that_the_release_before_had(new: Core) -> None:
    tables = old_tables(new.database)
    fill(new.database)
    assert [table.name for table in tables.sorted_tables if not rows(new.database, table)] == []


def test_a_database_of_the_release_before_is_upgraded_and_keeps_every_row(new: Core) -> None:
    tables = old_tables(new.database)
    fill(new.database)
    before = {table.name: len(rows(new.database, table)) for table in tables.sorted_tables}
    bring_up(new.database)
    with new.database.read() as session:
        assert differences(session.connection()) == []
        for table in Base.metadata.sorted_tables:
            found = session.execute(select(table)).all()  # each column can be read, each JSON text is what it should be
            if table.name in before:
                assert len(found) == before[table.name], table.name
        document = DesiredDocuments(new).desired(session, "station-1")
        assert (document.revision > 0, len(document.components) > 0) == (True, True)
    assert [finding.what for finding in AuditTrail(new).verify().findings] == [
        "R/audit.head is not there: nothing says whether rows were removed from the end."
    ]
    with new.database.write() as session:
        if new.database.shared:
            set_sequences(session.connection())  # as pg_dump does for what it dumps
        new.audit.record(session, "model.approve", "plates:2")
        new.events.record(session, kind="a.b", subject="s", message="numbered on")
    assert AuditTrail(new).page(Wanted(), None, 1).entries[0].subject == "plates:2"


def test_what_the_release_before_writes_the_new_schema_takes_and_gives_back(new: Core) -> None:
    """Its INSERTs name the columns that it knows; what is new is nullable or has a default of the database's own."""
    tables, gone = old_tables(new.database), None
    if not new.database.shared:
        gone = "desired"  # a view on PostgreSQL; no second process comes to a SQLite root
        tables.remove(tables.tables[gone])
    bring_up(new.database)
    fill(new.database, gone)
    for table in tables.sorted_tables:
        assert rows(new.database, table), table.name


@pytest.mark.postgresql_only
def test_both_releases_see_one_anothers_desired_documents(new: Core) -> None:
    tables = old_tables(new.database)
    fill(new.database)
    bring_up(new.database)
    old = tables.tables["desired"]
    was = rows(new.database, old)
    with new.database.write() as session:  # as the release before sets one
        session.execute(old.update().where(old.c.device == "station-1").values(revision=old.c.revision + 1, digest="x"))
        session.execute(old.update().where(old.c.device == "station-1").values(components="[]", digest="sha256:old"))
        session.execute(old.delete().where(old.c.device != "station-1"))
        others = [row for row in was if row["device"] != "station-1"]
        session.execute(old.insert(), others)
    documents = DesiredDocuments(new)
    with new.database.read() as session:
        changed = documents.desired(session, "station-1")
        assert (changed.revision, changed.components) == (was[0]["revision"] + 1, ())
    with new.database.write() as session:
        documents.set_many(session, ["station-1"], (), "rollout-9")
    seen = {row["device"]: row for row in rows(new.database, old)}["station-1"]
    assert (seen["revision"], seen["components"], seen["deployment"]) == (was[0]["revision"] + 2, "[]", "rollout-9")
    assert (seen["failure_policy"], seen["update_policy"] is not None) == ("ROLLBACK", True)


def test_a_release_before_is_refused_on_a_newer_database(new: Core) -> None:
    bring_up(new.database)
    with new.database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LinesideError, match=r"start\.database_newer") as refused:
        bring_up(new.database)
    assert "9999" in refused.value.message


@pytest.mark.postgresql_only
def test_two_that_start_at_once_upgrade_it_once(new: Core, tmp_path: Path, clock: FakeClock) -> None:
    url = new.database.engine.url.render_as_string(hide_password=False)
    opened = [Database(url) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(bring_up, opened))
    for database in opened:
        database.close()
    with new.database.read() as session:
        assert session.scalar(select(func.count()).select_from(text("alembic_version"))) == 1
        assert "events" in inspect(session.connection()).get_table_names()


def test_a_database_that_does_not_answer_is_named(tmp_path: Path) -> None:
    database = Database(f"postgresql+psycopg://nobody@/none?host={tmp_path}")
    with pytest.raises(LinesideError, match=r"start\.database_unreachable"):
        bring_up(database)
    database.close()
