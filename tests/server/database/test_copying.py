"""`lineside database copy`: every row of a SQLite root in PostgreSQL, or none."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from lineside.server.access.trail import AuditTrail
from lineside.server.adapters.tuf import FolderShelf
from lineside.server.database import Base, Database
from lineside.server.database.copying import main
from lineside.server.database.schema import bring_up
from lineside.server.root import Root, open_core
from lineside.server.services import Core
from lineside.server.settings import Settings
from lineside.server.testing import FakeClock
from tests.server.adapters.shelves import content
from tests.server.postgresql import Databases
from tests.server.previous import HEAD, fill

MADE_ANEW = {"leases", "tuf_files", "audit_head", "shared_keys"}


@pytest.fixture
def url(postgresql_databases: Databases) -> str:
    return postgresql_databases.empty()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a row in every table, signed metadata, and an audit trail that knows its end."""
    (tmp_path / "root" / "keys").mkdir(parents=True)
    core = opened(tmp_path / "root")
    bring_up(core.database, HEAD)
    fill(core.database)
    bring_up(core.database)
    with core.database.write() as session:
        core.audit.record(session, "model.approve", "plates:2")
    core.repository()
    core.database.close()
    return tmp_path / "root"


def opened(root: Path, url: str = "") -> Core:
    return open_core(root, Settings(database_url=url), FakeClock(datetime.now(UTC)))


def copy(root: Path, url: str) -> tuple[int, Any]:
    """The program's exit status, and what it says: rows by table, or an error."""
    said = io.StringIO()
    with redirect_stdout(said):
        status = main(root, url)
    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    error = next((line["error"] for line in lines if "error" in line), None)
    return status, {"error": error} if error else {"tables": {line["table"]: line["rows"] for line in lines}}


def rows(database: Database) -> dict[str, list[Any]]:
    with database.read() as session:
        found = {
            table.name: sorted(session.execute(select(table)).all(), key=repr) for table in Base.metadata.sorted_tables
        }
    return {name: those for name, those in found.items() if name not in MADE_ANEW}


def test_every_row_and_file_is_there_and_numbering_goes_on(root: Path, url: str) -> None:
    status, said = copy(root, url)
    assert status == 0, said
    source, target = opened(root), opened(root, url)
    assert rows(target.database) == rows(source.database)
    assert {name: count for name, count in said["tables"].items() if name not in MADE_ANEW} == {
        name: len(those) for name, those in rows(source.database).items()
    }
    assert content(target.shelf) == content(FolderShelf(root / "tuf"))
    assert target.repository().state().version("root") == 1
    assert AuditTrail(target).verify().findings == ()
    with target.database.write() as session:
        target.audit.record(session, "model.approve", "plates:3")
        target.events.record(session, kind="a.b", subject="s", message="numbered on")
    assert AuditTrail(target).verify().findings == ()
    for core in (source, target):
        core.database.close()


def test_a_target_with_rows_is_left_as_it_is(root: Path, url: str) -> None:
    assert copy(root, url)[0] == 0
    target = opened(root, url)
    before = rows(target.database)
    status, said = copy(root, url)
    assert (status, said["error"]["code"]) == (1, "database.not_empty")
    assert rows(target.database) == before
    target.database.close()


def test_what_postgresql_does_not_take_is_named_without_its_value_and_nothing_is_copied(root: Path, url: str) -> None:
    with closing(sqlite3.connect(root / "lineside.db")) as database, database:
        database.execute("UPDATE users SET created_at = ?", ("a secret that is far too long for its column",))
    status, said = copy(root, url)
    assert (status, said["error"]["code"]) == (1, "database.not_copied")
    assert said["error"]["params"]["table"] == "users"
    assert "secret" not in json.dumps(said)
    with closing(sqlite3.connect(root / "lineside.db")) as database, database:
        database.execute("UPDATE users SET created_at = '2026-01-01T00:00:00.000Z'")
    assert copy(root, url)[0] == 0


@pytest.mark.parametrize("wrong", ["running", "no database", "sqlite", "no server"])
def test_what_cannot_be_copied(root: Path, url: str, wrong: str, tmp_path: Path) -> None:
    codes = {
        "running": "start.root_in_use",
        "no database": "database.not_sqlite",
        "sqlite": "start.database_url_invalid",
        "no server": "start.database_unreachable",
    }
    held = Root(root) if wrong == "running" else None
    if wrong == "no database":
        (root / "lineside.db").unlink()
    targets = {"sqlite": f"sqlite:///{tmp_path}/other.db", "no server": f"postgresql+psycopg://x@/x?host={tmp_path}"}
    status, said = copy(root, targets.get(wrong, url))
    if held is not None:
        held.close()
    assert (status, said["error"]["code"]) == (1, codes[wrong])


@pytest.mark.parametrize("good", [True, False])
def test_the_command(root: Path, url: str, good: bool) -> None:
    if not good:
        (root / "lineside.db").unlink()
    program = [sys.executable, "-m", "lineside.cli", "database", "copy", "--root", str(root), "--json"]
    environment = os.environ | {"LINESIDE_COPY_TO": url}
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    said = json.loads(done.stdout)
    assert done.returncode == (0 if good else 1), done.stderr
    assert (said["tables"]["events"] > 0) if good else (said["error"]["code"] == "database.not_sqlite")
