"""Check-ins, on SQLite and on PostgreSQL: one statement, nothing remembered that may change, reports in groups."""

from __future__ import annotations

import asyncio

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select, text

from lineside.contract.device import DeviceState
from lineside.contract.errors import LinesideError
from lineside.contract.reported import Phase, Report, ReportsAnswer, ReportsRequest
from lineside.server.access.ca import open_ca
from lineside.server.access.tokens import AccessTokens
from lineside.server.devices.certificates import Certificates
from lineside.server.devices.checkin import CheckIns
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.proving import Proving
from lineside.server.devices.reports import Reports
from lineside.server.devices.standing import Standing
from lineside.server.devices.store import DeviceRow
from lineside.server.services import Core
from lineside.server.testing import FakeClock
from lineside.server.testing_device import make_assertion, make_key
from tests.server.devices.test_desired import wanted


def checkins_of(core: Core) -> CheckIns:
    """What a control plane on this database has; a second one stands for a second control plane."""
    tokens = AccessTokens(core)
    certificates = Certificates(core, open_ca(core.keys, core.clock.now()))
    return CheckIns(core, tokens, Proving(core, tokens, certificates, Standing(core, certificates)), Reports(core))


@pytest.fixture
def checkins(core: Core) -> CheckIns:
    return checkins_of(core)


def put(core: Core, *names: str, key: str = "k", last_seen: str | None = None) -> None:
    with core.database.write() as session:
        for name in names:
            row = DeviceRow(name=name, twin=False, key=key, certificate="", token="", facts={}, joined_at="")
            row.fingerprint, row.last_seen = name, last_seen
            session.add(row)


def report(device: str, sequence: int, phase: Phase = Phase.IDLE) -> ReportsRequest:
    one = Report(device=device, sequence=sequence, at="2026-01-01T00:00:00.000Z", revision=0, phase=phase)
    return ReportsRequest(reports=(one,))


def last_seen(core: Core, name: str) -> str | None:
    with core.database.read() as session:
        return session.scalar(select(DeviceRow.last_seen).where(DeviceRow.name == name))


async def ask(checkins: CheckIns, name: str, tags: str = "") -> str:
    return (await checkins.ask(name, await checkins.look(name), tags)).etag


def test_what_another_control_plane_changed_counts_at_once(core: Core, checkins: CheckIns) -> None:
    put(core, "cam-1")

    async def story() -> None:
        assert await checkins.look("ghost") is None
        before = await ask(checkins, "cam-1")
        assert before.startswith('"r0-')
        with core.database.write() as session:
            DesiredDocuments(core).set_many(session, ["cam-1"], [wanted()], "d-1")
            session.get_one(DeviceRow, "cam-1").state = DeviceState.QUARANTINED.value
        look = await checkins.look("cam-1")
        assert look is not None
        told = await checkins.ask("cam-1", look, before)
        assert (look.state, look.revision, told.document and told.document.components) == (
            "quarantined",
            1,
            (wanted(),),
        )
        assert (await checkins.ask("cam-1", look, told.etag)).document is None
        assert await ask(checkins_of(core), "cam-1") == told.etag  # also after a restart

    asyncio.run(story())


def test_reports_of_many_are_each_stored_when_answered(core: Core, checkins: CheckIns) -> None:
    names = [f"cam-{number}" for number in range(20)]
    put(core, *names)

    async def story() -> list[ReportsAnswer | BaseException]:
        several = [checkins.report(name, report(name, 7)) for name in [*names, "ghost", names[0]]]
        return await asyncio.gather(*several, return_exceptions=True)

    *good, ghost, again = asyncio.run(story())
    assert good == [ReportsAnswer(accepted=7)] * 20
    assert isinstance(ghost, LinesideError)
    assert (ghost.code, again) == ("request.not_found", ReportsAnswer(accepted=7))
    with core.database.read() as session:
        assert set(session.scalars(select(DeviceRow.sequence))) == {7}


def test_a_report_that_cannot_be_stored_spoils_no_other(core: Core, checkins: CheckIns) -> None:
    put(core, "cam-1", "cam-2")
    trigger = "CREATE TRIGGER broken BEFORE UPDATE ON devices WHEN NEW.name = 'cam-2' AND NEW.sequence > 5 "
    if core.database.shared:
        function = "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'no'; END $$ LANGUAGE plpgsql"
        statements = [function, trigger.replace("WHEN ", "FOR EACH ROW WHEN (") + ") EXECUTE FUNCTION refuse()"]
    else:
        statements = [trigger + "BEGIN SELECT RAISE(ABORT, 'no'); END"]
    with core.database.write() as session:
        for statement in statements:
            session.execute(text(statement))

    async def story() -> list[ReportsAnswer | BaseException]:
        first = asyncio.create_task(checkins.report("cam-1", report("cam-1", 1)))  # the others share the turn after it
        several = [checkins.report(name, report(name, 9)) for name in ("cam-1", "cam-2")]
        return [await first, *await asyncio.gather(*several, return_exceptions=True)]

    _, good, bad = asyncio.run(story())
    assert good == ReportsAnswer(accepted=9)
    assert isinstance(bad, Exception)
    with core.database.read() as session:
        stored = dict(session.execute(select(DeviceRow.name, DeviceRow.sequence)).all())  # type: ignore[arg-type]
    assert stored == {"cam-1": 9, "cam-2": -1}


def test_a_device_that_was_silent_is_seen_before_it_is_answered(
    core: Core, checkins: CheckIns, clock: FakeClock
) -> None:
    put(core, "new", last_seen=None)
    put(core, "late", last_seen="2025-12-31T23:59:00.000Z")

    async def story() -> None:
        await ask(checkins, "new")
        assert last_seen(core, "new") == "2026-01-01T00:00:00.000Z"
        await ask(checkins, "late")
        assert last_seen(core, "late") == "2025-12-31T23:59:00.000Z"  # kept in memory for a moment
        clock.advance(1)
        await ask(checkins, "late")
        await checkins.settle()
        assert last_seen(core, "late") == "2026-01-01T00:00:01.000Z"
        await checkins.settle()

    asyncio.run(story())


def test_what_was_seen_later_is_not_overwritten(core: Core, checkins: CheckIns, clock: FakeClock) -> None:
    put(core, "cam-1", last_seen="2025-12-31T23:59:00.000Z")

    async def story() -> None:
        await ask(checkins, "cam-1")
        clock.advance(5)
        await checkins_of(core).report("cam-1", report("cam-1", 1))
        await checkins.settle()

    asyncio.run(story())
    assert last_seen(core, "cam-1") == "2026-01-01T00:00:05.000Z"


def test_assertions_that_arrive_together_are_each_good_once(core: Core, checkins: CheckIns, clock: FakeClock) -> None:
    key = make_key()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    put(core, "cam-1", "cam-2", key=public)
    now = clock.now().timestamp()
    same = make_assertion(key, "cam-1", now)
    asked = [same, make_assertion(key, "cam-2", now), same, make_assertion(make_key(), "cam-2", now), "a.b.c"]
    asked.append(make_assertion(key, "cam\x00", now))

    async def story() -> list[str]:
        first = asyncio.create_task(checkins.token(make_assertion(key, "cam-2", now), ""))
        found = await asyncio.gather(*(checkins.token(one, "") for one in asked), return_exceptions=True)
        await first
        return [one.code if isinstance(one, LinesideError) else "good" for one in found]

    bad = "auth.assertion_invalid"
    assert asyncio.run(story()) == ["good", "good", "auth.assertion_replayed", bad, bad, bad]
