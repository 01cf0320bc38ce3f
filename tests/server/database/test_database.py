"""The database: what is read inside a write cannot change, an error undoes everything, a read cannot write.

All of it on SQLite and on PostgreSQL, but for how each is set up.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.errors import ErrorReport, LinesideError
from lineside.server.access.store import EventRow
from lineside.server.database import Base, Database, Json
from lineside.server.database.upserts import add_missing, upsert
from lineside.server.devices.store import GroupRow
from lineside.server.services import Core
from lineside.server.telemetry.store import RefusedRow
from tests.eventually import PATIENCE


def add(session: Session, message: str, error: ErrorReport | None = None) -> None:
    session.add(EventRow(at="2026", kind="a.b", subject="s", message=message, actor="", error=error))


def url_of(core: Core) -> str:
    return core.database.engine.url.render_as_string(hide_password=False)


def messages(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(EventRow.message).order_by(EventRow.id)))


def pragma(database: Database, name: str) -> object:
    with database.read() as session:
        return session.scalar(text(f"PRAGMA {name}"))


@pytest.mark.sqlite_only
def test_how_sqlite_is_set_up(core: Core) -> None:
    found = {name: pragma(core.database, name) for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert pragma(core.database, "busy_timeout") == 10_000


def test_a_write_commits_at_its_end(core: Core) -> None:
    with core.database.write() as session:
        add(session, "one")
        session.flush()
        assert messages(core.database) == []
    assert messages(core.database) == ["one"]


def test_an_error_undoes_everything(core: Core) -> None:
    def half() -> None:
        with core.database.write() as session:
            add(session, "one")
            session.flush()
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert messages(core.database) == []
    with core.database.write() as session:
        add(session, "two")
    assert messages(core.database) == ["two"]


@pytest.mark.sqlite_only
def test_a_write_holds_the_lock_from_its_beginning(core: Core) -> None:
    """BEGIN IMMEDIATE: another process cannot come between reading and writing."""
    other = sqlite3.connect(core.root / "lineside.db", timeout=0, isolation_level=None)
    with core.database.write():
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT count(*) FROM events").fetchone() == (0,)
    other.execute("BEGIN IMMEDIATE")
    other.close()


def test_threads_count_together_without_losing_one(core: Core) -> None:
    with core.database.write() as session:
        add(session, "0")

    def increment(_: int) -> None:
        with core.database.write() as session:
            row = session.scalars(select(EventRow)).one()
            row.message = str(int(row.message) + 1)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(increment, range(200)))
    assert messages(core.database) == ["200"]


def test_a_read_sees_one_moment_and_cannot_write(core: Core) -> None:
    with core.database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM events")) == 0
        writer = threading.Thread(target=lambda: _add_one(core.database))
        writer.start()
        writer.join()
        assert session.scalar(text("SELECT count(*) FROM events")) == 0
        with pytest.raises(DBAPIError, match=r"readonly|read-only"):
            session.execute(text("DELETE FROM events"))
    assert messages(core.database) == ["one"]


def _add_one(database: Database) -> None:
    with database.write() as session:
        add(session, "one")


def test_a_write_inside_a_write_is_a_mistake_and_says_so(core: Core) -> None:
    with core.database.write(), pytest.raises(RuntimeError, match="pass the session on"), core.database.write():
        pass
    _add_one(core.database)


def test_foreign_keys_hold(core: Core) -> None:
    with pytest.raises(IntegrityError) as failed, core.database.write() as session:
        session.add(GroupRow(device="nobody", group="default"))
    assert "nobody" not in str(failed.value)  # values of statements do not get into logs


def test_a_value_comes_back_as_it_was(core: Core) -> None:
    error = ErrorReport(code="a.b", message="schön", params={"n": "1"})
    with core.database.write() as session:
        add(session, "one", error)
        add(session, "two")
    with core.database.read() as session:
        assert list(session.scalars(select(EventRow.error).order_by(EventRow.id))) == [error, None]


def test_json_columns_take_any_msgspec_type(tmp_path: Path) -> None:
    class Probe(Base):
        __tablename__ = "probe_of_the_test"
        id: Mapped[int] = mapped_column(primary_key=True)
        numbers: Mapped[tuple[int, ...]] = mapped_column(Json(tuple[int, ...]))

    try:
        database = Database(f"sqlite:///{tmp_path / 'x.db'}")
        Base.metadata.create_all(database.engine, [Probe.__table__])  # type: ignore[list-item]
        with database.write() as session:
            session.add(Probe(numbers=(1, 2)))
        with database.read() as session:
            assert session.scalars(select(Probe)).one().numbers == (1, 2)
            with pytest.raises(msgspec.ValidationError):
                Json(tuple[int, ...]).process_result_value('["a"]', database.engine.dialect)
        database.close()
    finally:
        Base.metadata.remove(Probe.__table__)  # type: ignore[arg-type]


def test_what_was_committed_survives_kill_9(core: Core) -> None:
    program = """
import os, sys
from lineside.server.access.store import EventRow
from lineside.server.database import Database
database = Database(sys.argv[1])
with database.write() as session:
    session.add(EventRow(at="2026", kind="a.b", subject="s", message="committed", actor=""))
with database.write() as session:
    session.add(EventRow(at="2026", kind="a.b", subject="s", message="cut off", actor=""))
    session.flush()
    os.kill(os.getpid(), 9)
"""
    died = subprocess.run([sys.executable, "-c", program, url_of(core)], check=False)
    assert died.returncode == -9
    assert messages(core.database) == ["committed"]
    _add_one(core.database)


def test_what_is_missing_is_added_and_what_is_there_is_set(core: Core) -> None:
    def row(device: str, count: int, why: str) -> dict[str, object]:
        return {"device": device, "count": count, "last_at": "2026", "why": why}

    with core.database.write() as session:
        upsert(session, RefusedRow, [])
        upsert(session, RefusedRow, [row("a", 1, "one"), row("b", 1, "one")])
        upsert(session, RefusedRow, [row("a", 2, "two"), row("a", 3, "three"), row("c", 1, "one")])
        upsert(session, RefusedRow, [row("b", 9, "nine")], "count")
        add_missing(session, RefusedRow, [row("c", 7, "seven"), row("d", 7, "seven")])
    with core.database.read() as session:
        found = session.execute(select(RefusedRow.device, RefusedRow.count, RefusedRow.why).order_by("device"))
        assert found.all() == [("a", 3, "three"), ("b", 9, "one"), ("c", 1, "one"), ("d", 7, "seven")]


def test_a_check_stands_at_the_beginning_of_every_write_of_its_thread(core: Core) -> None:
    class Refused(Exception):
        pass

    def refuse(session: Session) -> None:
        raise Refused

    with core.database.checked(refuse):
        with pytest.raises(Refused), core.database.write() as session:
            add(session, "refused")
        other = threading.Thread(target=lambda: _add_one(core.database))
        other.start()
        other.join()
    _add_one(core.database)
    assert messages(core.database) == ["one", "one"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nonsense", "no SQLAlchemy URL"),
        ("mysql://root@localhost/x", "mysql"),
        ("postgresql+pg8000://x@localhost/x", "pg8000"),
        ("postgresql://x@localhost/x", "postgresql is not"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str, why: str) -> None:
    with pytest.raises(LinesideError, match=r"start\.database_url_invalid") as refused:
        Database(url)
    assert why in refused.value.message


@pytest.mark.postgresql_only
def test_a_server_that_was_started_anew_costs_nobody_an_error(core: Core) -> None:
    """Every connection of the pool is dead, and so is the lock that one of them had."""

    def cut_off() -> None:
        with core.database.write() as session:
            add(session, "one")
            session.flush()
            _end_all_but_ours(core)
            session.execute(text("SELECT 1"))

    with pytest.raises(DBAPIError):
        cut_off()
    _end_all_but_ours(core)
    assert messages(core.database) == []
    _add_one(core.database)
    assert messages(core.database) == ["one"]


def _end_all_but_ours(core: Core) -> None:
    with psycopg.connect(url_of(core).replace("+psycopg", ""), autocommit=True) as own:
        ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() "
        own.execute(ended + "AND pid <> pg_backend_pid()")


@pytest.mark.postgresql_only
def test_the_lock_of_a_control_plane_that_is_gone_is_free_at_once(core: Core) -> None:
    program = """
import os, sys
from sqlalchemy import text
from lineside.server.database import Database
with Database(sys.argv[1]).write() as session:
    session.execute(text("DELETE FROM events"))
    print("inside", flush=True)
    sys.stdin.read()
"""
    child = subprocess.Popen(
        [sys.executable, "-c", program, url_of(core)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "inside\n"
    waiting = threading.Thread(target=lambda: _add_one(core.database))
    waiting.start()
    assert messages(core.database) == []
    child.kill()
    child.communicate()
    waiting.join(PATIENCE)
    assert messages(core.database) == ["one"]
