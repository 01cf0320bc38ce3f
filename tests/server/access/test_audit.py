"""The audit trail: one row a decision, in its transaction, chained; nothing forks it and no kill breaks it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import update

from lineside.contract.audit import FIRST, Chain, entry_hash
from lineside.server.access.caller import Caller, acting
from lineside.server.access.store import JoinTokenRow
from lineside.server.access.trail import AuditTrail, Wanted
from lineside.server.services import Core
from lineside.server.testing import FakeClock, make_core

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


def test_postgresql_itself_holds_the_chain_for_processes_that_share_it(
    postgresql: str, tmp_path: Path, clock: FakeClock
) -> None:
    """Two roots: each has its own audit.head, which knows its own rows alone; the chain is one."""
    cores = [make_core(tmp_path / name, clock, database_url=postgresql) for name in ("a", "b")]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: decide(cores[number % 2], number), range(80)))
    rows = AuditTrail(cores[0]).page(Wanted(), None, 1000).entries[::-1]
    for core in cores:
        core.database.close()
    chain = Chain()
    for row in rows:
        chain.follow(row)
    assert (chain.entries, chain.newest, chain.findings) == (80, 80, [])
