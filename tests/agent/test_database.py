"""The agent's state: older and newer schemas, damaged files, torn logs, full disks. What must not be lost is not."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from lineside.agent import database as module
from lineside.agent.database import Damaged, Database
from lineside.agent.updating.state import State
from lineside.contract.errors import ErrorReport, LinesideError
from tests.agent.test_plan import V1, set_of

GOOD = set_of(V1, speed=3)
NOW = len(module._SCHEMA)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A state with a good set, a desired document and an outcome; closed."""
    path = tmp_path / "agent.db"
    database = Database(path, mend=True)
    state = State(database)
    state.begin(GOOD)
    state.commit()
    state.save_desired(V1, '"tag"')
    state.begin(set_of(V1))
    state.fail(ErrorReport(code="component.broken", message="It broke."), held=False)
    database.close()
    return path


def assert_whole(state: State) -> None:
    desired = state.desired()
    assert desired is not None
    assert (state.good(), desired.document, desired.etag) == (GOOD, V1, '"tag"')
    assert state.outcome() is not None


def rewrite(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def no_database(path: Path) -> None:
    path.write_bytes(b"this is no database at all" * 100)


def damaged_page(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 : 4096 * 3] = random.Random(1).randbytes(4096 * 2)
    path.write_bytes(data)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def wrong_value(path: Path) -> None:
    rewrite(path, """UPDATE facts SET value = CAST('{"not": "a set"' AS BLOB) WHERE key = 'good'""")


def lost_table(path: Path) -> None:
    rewrite(path, "DROP TABLE packages")


@pytest.mark.parametrize("damage", [no_database, damaged_page, cut_short])
def test_a_damaged_file_is_put_aside_and_nothing_that_matters_is_lost(
    file: Path, damage: Callable[[Path], None]
) -> None:
    damage(file)
    with pytest.raises(sqlite3.DatabaseError):
        State(Database(file)).check()  # a command that only looks repairs nothing
    database = Database(file, mend=True)
    assert database.mended is not None
    assert database.mended.code == "state.unreadable"
    assert_whole(State(database))
    assert (file.parent / "agent.db.damaged").exists()
    database.close()
    assert Database(file, mend=True).mended is None


@pytest.mark.parametrize("damage", [wrong_value, lost_table])
def test_a_value_or_table_that_cannot_be_read_is_damage_too(file: Path, damage: Callable[[Path], None]) -> None:
    damage(file)
    database = Database(file, mend=True)
    with pytest.raises(Damaged) as found:
        State(database).check()
    assert database.mend(found.value)
    assert_whole(State(database))


def test_without_a_copy_it_begins_empty(file: Path) -> None:
    (file.parent / "agent.copy.json").unlink()
    no_database(file)
    state = State(Database(file, mend=True))
    assert state.desired() is None
    assert state.good().components == ()


def test_a_copy_that_was_changed_is_not_believed(file: Path) -> None:
    copy = file.parent / "agent.copy.json"
    copy.write_bytes(copy.read_bytes().replace(b'"speed":3', b'"speed":9'))
    no_database(file)
    assert State(Database(file, mend=True)).desired() is None


def test_a_copy_that_is_behind_is_brought_up_to_date(file: Path) -> None:
    copy = file.parent / "agent.copy.json"
    older = copy.read_bytes()
    rewrite(file, "DELETE FROM facts WHERE key = 'outcome'")
    database = Database(file, mend=True)
    State(database).add_transferred(1)
    database.close()
    assert copy.read_bytes() != older
    assert b"It broke" not in copy.read_bytes()


@pytest.mark.parametrize("keep", [0, 1, 100, 4096, -1, -100, -4000])
def test_a_torn_log_loses_at_most_what_was_not_committed(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "agent.db"
    state = State(Database(path, mend=True))
    state.begin(GOOD)
    state.commit()
    torn = tmp_path / "torn"
    torn.mkdir()
    shutil.copyfile(path, torn / "agent.db")
    log = (tmp_path / "agent.db-wal").read_bytes()
    (torn / "agent.db-wal").write_bytes(log[:keep])
    again = Database(torn / "agent.db", mend=True)
    assert again.mended is None
    assert State(again).good().document in ("", GOOD.document)


# --- schemas ------------------------------------------------------------------------------------------------------


def old_agent(path: Path) -> None:
    """A state as the first agent wrote it, and as it writes it after a newer one has been there."""
    script = module._SCHEMA[0]
    connection = sqlite3.connect(path, isolation_level=None)
    if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
        connection.executescript(f"BEGIN;{script}PRAGMA user_version=1;COMMIT;")
    connection.execute("INSERT INTO outbox (report) VALUES (x'7b7d')")
    connection.execute("INSERT OR REPLACE INTO facts VALUES ('transferred', CAST('7' AS BLOB))")
    package = '{"recipe_digest":"d","artifacts":{}}'
    connection.execute("INSERT OR REPLACE INTO packages VALUES ('a', '1', CAST(? AS BLOB))", (package,))
    connection.close()


def test_the_first_schema_is_read_and_may_be_written_back_by_its_own_agent(tmp_path: Path) -> None:
    path = tmp_path / "agent.db"
    old_agent(path)
    database = Database(path, mend=True)
    state = State(database)
    assert (database.mended, state.transferred()) == (None, 7)
    state.add_transferred(1)
    state.begin(GOOD)
    state.commit()
    database.close()
    old_agent(path)  # the update went wrong: the agent before is back
    again = State(Database(path, mend=True))
    assert (again.transferred(), again.good()) == (7, GOOD)
    assert ("a", "1") in again.packages()


def test_what_only_a_newer_agent_understands_survives_an_older_ones_commit(file: Path) -> None:
    state = State(Database(file, mend=True))
    state.begin(GOOD)
    rewrite(file, "UPDATE facts SET value = CAST(json_set(value, '$.wanted.wings', 2) AS BLOB) WHERE key = 'attempt'")
    state.commit()
    (value,) = sqlite3.connect(file).execute("SELECT value FROM facts WHERE key = 'good'").fetchone()
    assert b'"wings":2' in value


def test_a_newer_schema_that_only_adds_is_used(file: Path) -> None:
    rewrite(file, "ALTER TABLE packages ADD COLUMN colour TEXT", f"PRAGMA user_version={NOW + 3}")
    rewrite(file, f"PRAGMA application_id={module._MARK | NOW}")
    database = Database(file, mend=True)
    assert database.mended is None
    assert_whole(State(database))
    rows = sqlite3.connect(file)
    assert rows.execute("PRAGMA user_version").fetchone() == (NOW + 3,)


def test_a_newer_schema_that_cannot_be_used_is_put_aside_and_what_ran_is_known(file: Path) -> None:
    rewrite(file, "ALTER TABLE facts RENAME TO truths", f"PRAGMA user_version={NOW + 3}")
    rewrite(file, f"PRAGMA application_id={module._MARK | (NOW + 2)}")
    with pytest.raises(LinesideError, match=r"state\.newer_schema"):
        Database(file)
    database = Database(file, mend=True)
    assert database.mended is not None
    assert database.mended.code == "state.newer_schema"
    assert_whole(State(database))
    assert (file.parent / f"agent.db.schema-{NOW + 3}").exists()


# --- a disk that takes nothing ------------------------------------------------------------------------------------


def test_a_full_disk_refuses_a_change_and_the_next_one_works(file: Path) -> None:
    database = Database(file, mend=True)
    state = State(database)
    with database.reading() as rows:
        (pages,) = rows.execute("PRAGMA page_count").fetchone()
        rows.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        state.add_verified("document", "x" * 100_000)
    state.add_process(1, 1, "x" * 100_000)  # this one is only noted, and stops nothing
    assert_whole(state)
    with database.reading() as rows:
        rows.execute("PRAGMA max_page_count=100000")
    state.add_verified("document", "x" * 100_000)
    assert len(state.verified("document")) == 1


def test_a_copy_that_cannot_be_written_is_written_with_the_next_change(file: Path) -> None:
    database = Database(file, mend=True)
    blocked = file.parent / ".agent.copy.json.tmp"
    blocked.mkdir()  # the copy's temporary file cannot be made
    State(database).begin(GOOD)
    State(database).fail(ErrorReport(code="component.broken", message="Once more."), held=False)
    blocked.rmdir()
    State(database).add_transferred(1)
    assert b"Once more" in (file.parent / "agent.copy.json").read_bytes()
