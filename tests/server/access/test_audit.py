"""The audit trail: one row a decision, in its transaction, chained; nothing forks it and no kill breaks it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text, update

from lineside.contract.audit import FIRST, entry_hash
from lineside.server.access.caller import Caller, acting
from lineside.server.access.store import JoinTokenRow
from lineside.server.access.trail import AuditTrail, Wanted
from lineside.server.services import Core
from lineside.server.testing import FakeClock, make_core
from tests.server.postgresql import Databases

ANN = Caller(name="ann", by="session", source="10.0.0.7")


def decide(core: Core, number: int = 0, caller: Caller = ANN) -> None:
    with acting(caller), core.database.write() as session:
        core.audit.record(session, "model.approve", f"plates:{number}", digest="sha256:" + "ab" * 32, why="looks good")


def test_a_decision_is_a_row_with_who_what_why_where_and_digest(core: Core) -> None:
    decide(core)
    decide(core, 1)
    second, first = AuditTrail(core).page(Wanted(), None, 10).entries
    assert (first.number, first.actor, first.by, first.source) == (1, "ann", "session", "10.0.0.7")
    assert (first.action, first.subject, first.why) == ("model.approve", "plates:0", "looks good")
    assert (first.at, first.digest) == ("2026-01-01T00:00:00.000Z", "sha256:" + "ab" * 32)
    assert (first.previous, second.previous) == (FIRST, first.hash)
    assert [entry_hash(entry) for entry in (first, second)] == [first.hash, second.hash]


def test_what_is_undone_leaves_no_row(core: Core) -> None:
    def half() -> None:
        with core.database.write() as session:
            core.audit.record(session, "model.approve", "plates:1")
            raise KeyError

    with pytest.raises(KeyError):
        half()
    decide(core)
    assert [entry.number for entry in AuditTrail(core).page(Wanted(), None, 10).entries] == [1]
    assert AuditTrail(core).verify().good


def test_several_decisions_of_one_transaction_follow_one_another(core: Core) -> None:
    with core.database.write() as session:
        for number in range(3):
            core.audit.record(session, "run.start", f"run-{number}")
    verdict = AuditTrail(core).verify()
    assert (verdict.good, verdict.entries, verdict.newest) == (True, 3, 3)


def test_texts_are_cut_to_what_their_columns_hold(core: Core) -> None:
    with core.database.write() as session:
        core.audit.record(session, "model.reject", "x" * 300, why="a\0b" + "y" * 9999)
    (entry,) = AuditTrail(core).page(Wanted(), None, 10).entries
    assert (len(entry.subject), len(entry.why), entry.why[:3]) == (256, 4000, "a\N{REPLACEMENT CHARACTER}b")


def test_threads_do_not_fork_the_chain(core: Core) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: decide(core, number), range(64)))
    verdict = AuditTrail(core).verify()
    assert (verdict.entries, verdict.newest, verdict.findings) == (64, 64, ())


def test_a_check_while_others_decide_finds_nothing(core: Core) -> None:
    stop = threading.Event()
    trail = AuditTrail(core)

    def on_and_on() -> None:
        while not stop.is_set():
            decide(core)

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(on_and_on) for _ in range(2)]
        try:
            verdicts = [trail.verify() for _ in range(20)]
        finally:
            stop.set()
        for writer in writers:
            writer.result()
    assert [verdict.findings for verdict in verdicts] == [()] * 20
    assert verdicts[-1].entries > verdicts[0].entries


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_around_the_commit_leaves_a_trail_that_is_good(tmp_path: Path, moment: str) -> None:
    """`before`: audit.head says that row 3 comes, and it never came. `after`: row 3 is there, and nobody said so."""
    program = f"""
import os, signal, sys
from pathlib import Path
from lineside.server.access.audit_head import AuditHead
from lineside.server.testing import make_core
core = make_core(Path(sys.argv[1]))
def decide():
    with core.database.write() as session:
        core.audit.record(session, "model.approve", "plates:1")
decide(), decide()
real = AuditHead.{moment}
def killed(self, *marks):
    {"real(self, *marks)" if moment == "before" else "pass"}
    os.kill(os.getpid(), signal.SIGKILL)
AuditHead.{moment} = killed
decide()
"""
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path / "root")], env=os.environ, check=False)
    assert ended.returncode == -signal.SIGKILL
    core = make_core(tmp_path / "root")
    expected = 2 if moment == "before" else 3
    assert (AuditTrail(core).verify().findings, AuditTrail(core).verify().entries) == ((), expected)
    decide(core)
    assert (AuditTrail(core).verify().findings, AuditTrail(core).verify().entries) == ((), expected + 1)
    core.database.close()


def test_a_full_disk_after_the_commit_undoes_nothing(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    decide(core)
    real = core.audit.head._write

    def full(head: object) -> None:
        if getattr(head, "next", None) is None:
            raise OSError(28, "No space left on device")
        real(head)  # type: ignore[arg-type]

    monkeypatch.setattr(core.audit.head, "_write", full)
    decide(core, 1)
    assert AuditTrail(core).verify().good


def test_postgresql_writers_neither_fork_the_chain_nor_block_each_other(
    postgresql: str, tmp_path: Path, clock: FakeClock
) -> None:
    """Half of them decide before they change a row that all change, half after it."""
    core = make_core(tmp_path / "root", clock, database_url=postgresql)
    token = JoinTokenRow(hash="h", group="g", twin=False, uses=9, used=0, created_at="2026", expires_at="2027")
    with core.database.write() as session:
        session.add(token)

    def both(number: int) -> None:
        with core.database.write() as session:
            if number % 2:
                core.audit.record(session, "device.join", f"cam-{number}")
            session.execute(update(JoinTokenRow).values(used=JoinTokenRow.used + 1))
            if not number % 2:
                core.audit.record(session, "device.join", f"cam-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(both, range(80)))
    verdict = AuditTrail(core).verify()
    core.database.close()
    assert (verdict.entries, verdict.newest, verdict.findings) == (80, 80, ())


def test_two_control_planes_write_one_trail_and_each_vouches_for_all_of_it(
    postgresql_databases: Databases, tmp_path: Path, clock: FakeClock
) -> None:
    cores = planes(postgresql_databases.with_tables(), tmp_path, clock)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: decide(cores[number % 2], number), range(80)))
    verdicts = [AuditTrail(core).verify() for core in cores]
    for core in cores:
        core.database.close()
    assert [(one.entries, one.newest, one.findings) for one in verdicts] == [(80, 80, ())] * 2


@pytest.mark.parametrize(
    ("tampering", "first"),
    [
        ("DELETE FROM audit WHERE number > 4", 5),
        ("UPDATE audit SET why = 'no' WHERE number = 3", 3),
        ("DELETE FROM audit_head", 6),
        ("UPDATE audit_head SET head = overlay(head placing '4' from position('6' in head))", 6),
    ],
)
def test_who_can_write_the_shared_database_alone_is_found_out(
    postgresql_databases: Databases, tmp_path: Path, clock: FakeClock, tampering: str, first: int
) -> None:
    one, other = planes(postgresql_databases.with_tables(), tmp_path, clock)
    for number in range(6):
        decide((one, other)[number % 2], number)
    with one.database.engine.begin() as connection:
        connection.execute(text(tampering))
    found = AuditTrail(one).verify().findings
    decide(one)
    after = AuditTrail(one).verify().findings
    for core in (one, other):
        core.database.close()
    assert [finding.first for finding in found] == [first]
    assert after != ()


def test_a_trail_that_was_brought_back_with_its_head_lacks_rows_that_a_control_plane_wrote(
    postgresql_databases: Databases, tmp_path: Path, clock: FakeClock
) -> None:
    """The older state is one that the keys vouch for; what tells is R/audit.head of the one that wrote since."""
    one, other = planes(postgresql_databases.with_tables(), tmp_path, clock)
    decide(one)
    decide(other)
    with one.database.read() as session:
        head = session.scalars(text("SELECT head FROM audit_head")).one()
    decide(other)
    with one.database.engine.begin() as connection:
        connection.execute(text("DELETE FROM audit WHERE number > 2"))
        connection.execute(text("UPDATE audit_head SET head = :head"), {"head": head})
    unknowing, knowing = AuditTrail(one).verify(), AuditTrail(other).verify()
    for core in (one, other):
        core.database.close()
    assert unknowing.findings == ()
    assert [(finding.first, finding.last) for finding in knowing.findings] == [(3, 3)]


def planes(url: str, folder: Path, clock: FakeClock) -> list[Core]:
    """Two control planes on one database: each its own root, the keys copied."""
    one = make_core(folder / "a", clock, database_url=url)
    decide(one, -1)
    with one.database.engine.begin() as connection:
        connection.execute(text("TRUNCATE audit, audit_head"))
    (folder / "a" / "audit.head").unlink()
    shutil.copytree(folder / "a" / "keys", folder / "b" / "keys")
    return [one, make_core(folder / "b", clock, database_url=url)]
