"""The outbox: what goes first when it is full, what a disk that takes nothing changes, and that each has one effect."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.agent.database import Database
from lineside.agent.link import outbox as module
from lineside.agent.link.error import LinkError
from lineside.agent.link.outbox import LIMIT, Outbox, Priority
from lineside.agent.testing import FakeControlPlane
from lineside.contract.reported import Phase, Report


def report(sequence: int, revision: int = 1) -> Report:
    return Report(
        device="cell-1", sequence=sequence, at="2026-01-01T00:00:00.000Z", revision=revision, phase=Phase.IDLE
    )


def all_waiting(outbox: Outbox) -> list[int]:
    control = FakeControlPlane()
    outbox.flush(control)
    return [one.sequence for one in control.reports]


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "agent.db")


def test_samples_go_before_telemetry_before_alarms_before_state(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIMIT", 4)
    outbox = Outbox(database)
    for priority in (Priority.SAMPLE, Priority.STATE, Priority.ALARM, Priority.TELEMETRY):
        outbox.add(report, priority)
    outbox.add(report, Priority.STATE)  # 5: the sample (1) goes
    outbox.add(report, Priority.STATE)  # 6: telemetry (4) goes
    outbox.add(report, Priority.STATE)  # 7: the alarm (3) goes
    outbox.add(report, Priority.STATE)  # 8: the oldest state (2) goes
    assert all_waiting(outbox) == [5, 6, 7, 8]


def _kept(priorities: list[Priority], limit: int) -> list[int]:
    """The rule, slowly."""
    rows: list[tuple[int, Priority]] = []
    for number, priority in enumerate(priorities, start=1):
        rows.append((number, priority))
        while len(rows) > max(limit, 1):
            states = [row for row in rows if row[1] is Priority.STATE]
            droppable = [row for row in rows if not states or row != states[-1]]
            worst = max(row[1] for row in droppable)
            rows.remove(next(row for row in droppable if row[1] == worst))
    return [number for number, _ in rows]


@settings(max_examples=40)
@given(st.lists(st.sampled_from(Priority), max_size=30), st.integers(1, 6))
def test_the_rule_holds_for_any_order(
    tmp_path_factory: pytest.TempPathFactory, priorities: list[Priority], limit: int
) -> None:
    database = Database(tmp_path_factory.mktemp("outbox") / "agent.db")
    before, module.LIMIT = module.LIMIT, limit
    try:
        outbox = Outbox(database)
        for priority in priorities:
            outbox.add(report, priority)
        assert all_waiting(outbox) == _kept(priorities, limit)
    finally:
        module.LIMIT = before
        database.close()


def test_it_is_bounded_in_bytes_too(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT_BYTES", 1000)
    outbox = Outbox(database)
    for _ in range(100):
        outbox.add(report)
    assert all_waiting(outbox)[-1] == 100
    with database.reading() as rows:
        assert rows.execute("SELECT count(*) FROM outbox").fetchone() == (0,)


def test_the_newest_state_outlives_any_number_of_samples(database: Database) -> None:
    outbox = Outbox(database)
    outbox.add(report, Priority.STATE)
    for _ in range(LIMIT + 50):
        outbox.add(report, Priority.SAMPLE)
    assert 1 in all_waiting(outbox)


class _Disk:
    """Makes a database's writes fail as a disk without space does."""

    def __init__(self, database: Database) -> None:
        self._rows = database._connection

    def fill(self) -> None:
        (pages,) = self._rows.execute("PRAGMA page_count").fetchone()
        self._rows.execute(f"PRAGMA max_page_count = {pages}")
        self._rows.execute("PRAGMA query_only = 1")  # else SQLite finds room in its last page

    def empty(self) -> None:
        self._rows.execute("PRAGMA query_only = 0")
        self._rows.execute("PRAGMA max_page_count = 1073741823")


def test_while_the_disk_takes_nothing_the_newest_is_sent_from_memory_and_numbers_go_on(database: Database) -> None:
    errors: list[BaseException] = []
    outbox, control, disk = Outbox(database, errors.append), FakeControlPlane(), _Disk(database)
    outbox.add(report)
    disk.fill()
    outbox.add(lambda sequence: report(sequence, revision=7))
    outbox.add(lambda sequence: report(sequence, revision=8))
    assert all(isinstance(error, sqlite3.Error) for error in errors)
    assert len(errors) == 2
    outbox.flush(control)
    assert [(one.sequence, one.revision) for one in control.reports] == [(1, 1), (3, 8)]
    assert outbox.waiting() == ()  # acknowledged, though the disk still holds the first
    disk.empty()
    assert outbox.add(report).sequence == 4
    outbox.flush(control)
    assert control.reports[-1].sequence == 4


def test_an_answer_that_is_lost_has_no_second_effect(database: Database) -> None:
    class Forgetful(FakeControlPlane):
        """Stores reports, and the connection breaks before it can say so."""

        def report(self, reports: tuple[Report, ...]) -> int:
            super().report(reports)
            raise LinkError("link.unreachable", url="memory", why="it broke off")

    outbox, forgetful = Outbox(database), Forgetful()
    for _ in range(3):
        outbox.add(report)
    with pytest.raises(LinkError):
        outbox.flush(forgetful)
    control = FakeControlPlane()
    control.reports = forgetful.reports
    Outbox(database).flush(control)
    assert [one.sequence for one in control.reports] == [1, 2, 3]


def test_a_torn_write_at_the_end_of_the_file_costs_at_most_the_last_report(tmp_path: Path) -> None:
    database = Database(tmp_path / "agent.db")
    outbox = Outbox(database)
    for _ in range(20):
        outbox.add(report)
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "agent.db").write_bytes((tmp_path / "agent.db").read_bytes())
    log = (tmp_path / "agent.db-wal").read_bytes()
    (copy / "agent.db-wal").write_bytes(log[: len(log) - 1000])
    database.close()
    again = Outbox(Database(copy / "agent.db"))
    assert all_waiting(again) == list(range(1, 20))
    assert again.add(report).sequence == 20
