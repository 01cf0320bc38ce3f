"""Leases: exactly one process acts, another takes over, and whoever lost its lease can write nothing.

On SQLite the test's clock decides; on PostgreSQL it is the database's, so tests move what is stored instead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from lineside.contract.errors import LinesideError
from lineside.server.clock import parse_rfc3339, rfc3339
from lineside.server.loops.lease import LEASE, LeaseRow, Leases, home_of
from lineside.server.loops.runner import Runner
from lineside.server.services import Core, Loop
from lineside.server.testing import FakeClock

PASS = Callable[[float], None]


@pytest.fixture
def time_passes(core: Core, clock: FakeClock) -> PASS:
    """A share of a lease goes by."""

    def passes(share: float) -> None:
        clock.advance(LEASE.total_seconds() * share)
        if core.database.shared:
            with core.database.write() as session:
                for row in session.scalars(select(LeaseRow)):
                    row.until = rfc3339(parse_rfc3339(row.until) - LEASE * share)

    return passes


def held(core: Core) -> dict[str, str]:
    with core.database.read() as session:
        return {row.name: row.holder for row in session.scalars(select(LeaseRow))}


def test_a_lease_is_held_by_one_until_it_runs_out(core: Core, clock: FakeClock, time_passes: PASS) -> None:
    mine, theirs = Leases(core.database, clock, "mine"), Leases(core.database, clock, "theirs")
    assert mine.hold("delivery")
    assert not theirs.hold("delivery")
    assert theirs.hold("rollouts")
    time_passes(0.9)
    assert mine.hold("delivery")
    time_passes(0.9)
    assert not theirs.hold("delivery")
    time_passes(0.2)
    assert theirs.hold("delivery")
    assert not mine.hold("delivery")


def test_many_that_ask_at_once_and_exactly_one_gets_it(core: Core, clock: FakeClock) -> None:
    asking = [Leases(core.database, clock, f"plane-{number}") for number in range(8)]
    together, got = threading.Barrier(8), []

    def ask(leases: Leases) -> None:
        together.wait()
        if leases.hold("delivery"):
            got.append(leases.holder)

    threads = [threading.Thread(target=ask, args=(leases,)) for leases in asking]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == list(held(core).values())


def test_what_is_given_back_is_free_at_once_and_not_taken_again(core: Core, clock: FakeClock) -> None:
    mine, theirs = Leases(core.database, clock, "mine"), Leases(core.database, clock, "theirs")
    assert mine.hold("delivery")
    assert mine.hold("rollouts")
    mine.give_back()
    assert held(core) == {}
    assert theirs.hold("delivery")
    assert not mine.hold("delivery")
    assert not mine.hold("rollouts")


def test_a_process_started_again_on_the_same_root_goes_on_at_once(core: Core, clock: FakeClock) -> None:
    before = Leases(core.database, clock, home_of(core.root))
    assert before.hold("delivery")
    assert Leases(core.database, clock, home_of(core.root)).hold("delivery")


def test_two_processes_that_claim_one_home_do_not_take_turns(core: Core, clock: FakeClock, time_passes: PASS) -> None:
    """A root that was copied whole, on hosts of one name."""
    first, second = Leases(core.database, clock, "twin"), Leases(core.database, clock, "twin")
    assert first.hold("delivery")
    assert second.hold("delivery")
    for _ in range(5):
        time_passes(0.3)
        assert not first.hold("delivery")
        assert second.hold("delivery")


@pytest.mark.postgresql_only
def test_the_databases_clock_decides_where_it_is_shared(core: Core) -> None:
    """A machine whose clock is a day ahead takes nothing from anybody."""
    right, ahead = FakeClock(), FakeClock()
    ahead.advance(86_400)
    assert Leases(core.database, right, "right").hold("delivery")
    assert not Leases(core.database, ahead, "ahead").hold("delivery")
    with core.database.read() as session:
        left = parse_rfc3339(session.scalars(select(LeaseRow.until)).one())
        now = session.scalars(select(func.clock_timestamp())).one()
        assert timedelta(0) < left - now <= LEASE


@pytest.mark.postgresql_only
def test_renewing_keeps_a_lease_while_a_step_takes_long(core: Core, clock: FakeClock, time_passes: PASS) -> None:
    """Also while the step itself is inside a write."""
    mine, theirs = Leases(core.database, clock, "mine"), Leases(core.database, clock, "theirs")
    assert mine.hold("delivery")
    time_passes(0.9)
    with core.database.write():
        mine.renew()
    time_passes(0.9)
    assert not theirs.hold("delivery")
    time_passes(0.2)
    mine.renew()
    assert theirs.hold("delivery")


@pytest.mark.postgresql_only
@pytest.mark.parametrize("how", ["taken", "run out", "given back"])
def test_whoever_lost_its_lease_in_the_middle_of_a_step_writes_nothing_more(
    core: Core, clock: FakeClock, time_passes: PASS, how: str
) -> None:
    mine, theirs = Leases(core.database, clock, "mine"), Leases(core.database, clock, "theirs")
    assert mine.hold("delivery")
    with mine.fence("delivery"):
        with core.database.write() as session:
            core.events.record(session, kind="a.b", subject="s", message="while it was mine")
        elsewhere = {
            "given back": [mine.give_back],
            "run out": [lambda: time_passes(1.1)],
            "taken": [lambda: time_passes(1.1), lambda: theirs.hold("delivery")],
        }
        for one in elsewhere[how]:
            other = threading.Thread(target=one)
            other.start()
            other.join()
        with pytest.raises(LinesideError, match=r"loop\.lease_lost"), core.database.write() as session:
            core.events.record(session, kind="a.b", subject="s", message="too late")
    with core.database.read() as session:
        found = core.events.page(session, before=None, kind="a.b", limit=10).events
    assert [event.message for event in found] == ["while it was mine"]


@pytest.mark.postgresql_only
def test_a_step_that_lost_its_lease_ends_quietly(core: Core, clock: FakeClock) -> None:
    mine = Leases(core.database, clock, "mine")

    def step() -> None:
        with core.database.write() as session:
            session.execute(update(LeaseRow).values(holder="theirs#1"))
        with core.database.write() as session:
            core.events.record(session, kind="a.b", subject="s", message="too late")

    assert not Runner(core, mine, Loop("delivery", step)).once()
    with core.database.read() as session:
        assert core.events.page(session, before=None, kind=None, limit=10).events == ()


def test_a_loop_that_is_for_every_control_plane_asks_for_no_lease(core: Core, clock: FakeClock) -> None:
    ran: list[str] = []
    for home in ("mine", "theirs"):
        loop = Loop("keys", lambda home=home: ran.append(home), everywhere=True)  # type: ignore[misc]
        assert Runner(core, Leases(core.database, clock, home), loop).once()
    assert ran == ["mine", "theirs"]
    assert held(core) == {}
