"""Whoever edits, removes, inserts or reorders rows of the audit trail in the database is found, and the rows named."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineside.contract.audit import FIRST, AuditEntry, AuditVerdict, Chain, entry_hash
from lineside.server.access.trail import AuditTrail, Wanted
from lineside.server.services import Core
from lineside.server.testing import FakeClock, make_core

ROWS = 12
FIELDS = tuple(name for name in AuditEntry.__struct_fields__ if name != "number")
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)


def trail_of(root: Path) -> Core:
    """A trail of twelve decisions."""
    core = make_core(root, FakeClock())
    for number in range(1, ROWS + 1):
        with core.database.write() as session:
            core.audit.record(session, "model.approve", f"plates:{number}", digest=f"sha256:{number:064}", why="good")
    return core


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a trail that nobody touched, at rest."""
    root = tmp_path_factory.mktemp("whole") / "root"
    trail_of(root).database.close()
    return root


Check = Callable[[Callable[[sqlite3.Connection], None]], AuditVerdict]
MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def tampered(whole: Path, tmp_path: Path) -> Check:
    """What a check finds after somebody had the database in hand."""

    def check(tamper: Callable[[sqlite3.Connection], None]) -> AuditVerdict:
        root = tmp_path / "tampered"
        shutil.copytree(whole, root)
        with closing(sqlite3.connect(root / "lineside.db")) as database, database:
            tamper(database)
        core = make_core(root, FakeClock())
        verdict = AuditTrail(core).verify()
        core.database.close()
        shutil.rmtree(root)
        return verdict

    return check


def names(verdict: AuditVerdict, number: int) -> bool:
    return not verdict.good and any(one.first <= number <= one.last for one in verdict.findings)


def row_of(database: sqlite3.Connection, number: int) -> AuditEntry:
    columns = ", ".join(AuditEntry.__struct_fields__)
    row = database.execute(f"SELECT {columns} FROM audit WHERE number = ?", (number,)).fetchone()
    return AuditEntry(**dict(zip(AuditEntry.__struct_fields__, row, strict=True)))


def put(database: sqlite3.Connection, entry: AuditEntry) -> None:
    values = msgspec.structs.asdict(entry)
    database.execute(
        f"INSERT OR REPLACE INTO audit ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
        tuple(values.values()),
    )


def chained_anew(database: sqlite3.Connection, start: int) -> None:
    """What somebody does who knows how hashes are made: every hash from `start` on fits again."""
    numbers = [row[0] for row in database.execute("SELECT number FROM audit ORDER BY number")]
    previous = FIRST if start == numbers[0] else row_of(database, numbers[numbers.index(start) - 1]).hash
    for number in numbers[numbers.index(start) :]:
        entry = msgspec.structs.replace(row_of(database, number), previous=previous)
        previous = entry_hash(entry)
        put(database, msgspec.structs.replace(entry, hash=previous))


def test_nobody_touched_it(tampered: Check) -> None:
    verdict = tampered(lambda _database: None)
    assert (verdict.good, verdict.entries, verdict.newest, verdict.ending) == (True, ROWS, ROWS, True)


@given(number=st.integers(1, ROWS), field=st.sampled_from(FIELDS), text=TEXTS, anew=st.booleans())
@MANY
def test_an_edited_row_is_named(tampered: Check, number: int, field: str, text: str, anew: bool) -> None:
    """Also when the hashes from there on are made to fit: then the row that was written last is not there any more."""

    def edit(database: sqlite3.Connection) -> None:
        before = row_of(database, number)
        value = text if getattr(before, field) != text else text + "x"
        database.execute(f"UPDATE audit SET {field} = ? WHERE number = ?", (value, number))
        if anew and field not in ("hash", "previous"):
            chained_anew(database, number)

    assert names(tampered(edit), number)


@given(first=st.integers(1, ROWS), count=st.integers(1, 4), renumber=st.booleans(), anew=st.booleans())
@MANY
def test_removed_rows_are_named(tampered: Check, first: int, count: int, renumber: bool, anew: bool) -> None:
    """From the beginning, the middle or the end, whether the rest moves up or not. When the rest moves up and all its
    hashes fit again, it is the last numbers that are not there any more."""
    last = min(first + count - 1, ROWS)

    def remove(database: sqlite3.Connection) -> None:
        database.execute("DELETE FROM audit WHERE number BETWEEN ? AND ?", (first, last))
        for number in range(last + 1, ROWS + 1) if renumber else ():
            database.execute("UPDATE audit SET number = ? WHERE number = ?", (first + number - last - 1, number))
        if anew and (renumber or last == ROWS):
            left = [row[0] for row in database.execute("SELECT number FROM audit ORDER BY number")]
            if left:
                chained_anew(database, left[0])

    verdict = tampered(remove)
    if renumber and anew:
        first, last = ROWS - (last - first), ROWS
    assert all(names(verdict, number) for number in range(first, last + 1))


@given(after=st.integers(0, ROWS), action=TEXTS, anew=st.booleans())
@MANY
def test_an_inserted_row_is_named(tampered: Check, after: int, action: str, anew: bool) -> None:
    """Later rows move down to make room; at the end there is room."""

    def insert(database: sqlite3.Connection) -> None:
        for number in range(ROWS, after, -1):
            database.execute("UPDATE audit SET number = ? WHERE number = ?", (number + 1, number))
        previous = row_of(database, after).hash if after else FIRST
        template = row_of(database, after or 2)
        entry = msgspec.structs.replace(template, number=after + 1, action=action, previous=previous, hash="")
        put(database, msgspec.structs.replace(entry, hash=entry_hash(entry)))
        if anew:
            chained_anew(database, after + 1)

    assert names(tampered(insert), after + 1)


@given(pair=st.lists(st.integers(1, ROWS), min_size=2, max_size=2, unique=True), anew=st.booleans())
@MANY
def test_reordered_rows_are_named(tampered: Check, pair: list[int], anew: bool) -> None:
    one, other = pair

    def swap(database: sqlite3.Connection) -> None:
        database.execute("UPDATE audit SET number = -1 WHERE number = ?", (one,))
        database.execute("UPDATE audit SET number = ? WHERE number = ?", (one, other))
        database.execute("UPDATE audit SET number = ? WHERE number = -1", (other,))
        if anew:
            chained_anew(database, min(pair))

    verdict = tampered(swap)
    assert names(verdict, one)
    assert names(verdict, other)


def test_what_cannot_be_read_does_not_hide_the_rest(whole: Path, tmp_path: Path) -> None:
    """Pages and exports go on without it; whoever checks the export finds that it is not there."""
    root = tmp_path / "root"
    shutil.copytree(whole, root)
    with closing(sqlite3.connect(root / "lineside.db")) as database, database:
        database.execute("UPDATE audit SET actor = CAST(x'ff00fe' AS TEXT) WHERE number = 5")
    core = make_core(root)
    trail = AuditTrail(core)
    page = trail.page(Wanted(), None, 100)
    lines = b"".join(trail.export(0)).splitlines()
    core.database.close()
    assert [entry.number for entry in page.entries] == [12, 11, 10, 9, 8, 7, 6, 4, 3, 2, 1]
    chain = Chain()
    for line in lines:
        chain.follow(msgspec.json.decode(line, type=AuditEntry))
    assert [(finding.first, finding.last) for finding in chain.findings] == [(5, 5)]


def test_a_row_that_cannot_even_be_read_is_named(tampered: Check) -> None:
    verdict = tampered(
        lambda database: database.execute("UPDATE audit SET why = CAST(x'ff00fe' AS TEXT) WHERE number = 5")  # type: ignore[arg-type,return-value]
    )
    assert [finding.what for finding in verdict.findings] == ["Row 5 cannot be read: it was edited."]


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff", b'{"newest":[3,"x"],"mac":"00"}', b'{"newest":[99,"x"],"mac":""}']
)
def test_a_head_that_was_not_written_here_is_found(whole: Path, tmp_path: Path, content: bytes) -> None:
    shutil.copytree(whole, tmp_path / "root")
    (tmp_path / "root" / "audit.head").write_bytes(content)
    core = make_core(tmp_path / "root")
    verdict = AuditTrail(core).verify()
    core.database.close()
    assert "audit.head is not what" in verdict.findings[0].what


def test_what_was_found_stays_found_while_the_trail_goes_on(whole: Path, tmp_path: Path) -> None:
    """Rows written after a cut do not bury it; once a person has removed audit.head, a new one is begun."""
    root = tmp_path / "root"
    shutil.copytree(whole, root)
    with closing(sqlite3.connect(root / "lineside.db")) as database, database:
        database.execute("DELETE FROM audit WHERE number > 9")
    core = make_core(root)
    trail = AuditTrail(core)
    for _ in range(5):
        assert names(trail.verify(), ROWS)
        with core.database.write() as session:
            core.audit.record(session, "run.start", "run-1")
    assert names(trail.verify(), ROWS)
    (root / "audit.head").unlink()
    assert "audit.head is not there" in trail.verify().findings[0].what
    with core.database.write() as session:
        core.audit.record(session, "run.start", "run-2")
    assert trail.verify().good
    core.database.close()


def test_an_export_that_was_kept_finds_a_trail_that_was_written_anew(whole: Path, tmp_path: Path) -> None:
    """Even by somebody who could write audit.head: the row as it was exported is not there any more."""
    root = tmp_path / "root"
    shutil.copytree(whole, root)
    core = make_core(root)
    kept = core_row(core, 7)
    assert AuditTrail(core).verify((7, kept)).good
    core.database.close()
    with closing(sqlite3.connect(root / "lineside.db")) as database, database:
        database.execute("UPDATE audit SET actor = 'eve' WHERE number = 3")
        chained_anew(database, 3)
    (root / "audit.head").unlink()
    core = make_core(root)
    verdict = AuditTrail(core).verify((7, kept))
    core.database.close()
    assert "not the one that was exported" in verdict.findings[0].what


def core_row(core: Core, number: int) -> str:
    with core.database.read() as session:
        found: Any = session.connection().exec_driver_sql(f"SELECT hash FROM audit WHERE number = {number}").scalar()
    return str(found)


@given(order=st.permutations(range(1, ROWS + 1)), left_out=st.sets(st.integers(1, ROWS), max_size=3))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_of_an_export_in_another_order_or_number(whole: Path, order: list[int], left_out: set[int]) -> None:
    """An export is checked as it stands: what was cut off its end alone cannot be seen in it."""
    with closing(sqlite3.connect(f"file:{whole / 'lineside.db'}?mode=ro", uri=True)) as database:
        rows = {number: row_of(database, number) for number in range(1, ROWS + 1)}
    shown = [number for number in order if number not in left_out]
    chain = Chain()
    for number in shown:
        chain.follow(rows[number])
    whole_beginning = shown == list(range(1, len(shown) + 1))
    assert chain.verdict().good == whole_beginning
