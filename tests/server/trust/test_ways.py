"""Trust over HTTP and on pages: who may do what, what is recorded, and what people are asked to see to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from lineside.contract.people import Permission
from lineside.server.access.audit import AuditRow
from lineside.server.access.caller import Caller
from lineside.server.access.room import room as access
from lineside.server.access.testing import Listed
from lineside.server.app import ROOMS
from lineside.server.devices.room import room as devices
from lineside.server.loops.timestamp import TimestampLoop
from lineside.server.services import Core
from lineside.server.testing import FakeClock, Running, running
from lineside.server.trust.room import room as trust
from lineside.server.trust.view import TrustPage
from tests.eventually import PATIENCE
from tests.server.trust.hands import Follower, Hand, House

MODEL = "models/tags.model-1.0.0.json"
People = dict[str, list[Hand]]


def caller(name: str, *permissions: Permission) -> Caller:
    return Caller(name=name, by="token", permissions=frozenset(permissions))


DOOR = Listed(
    {
        "viewer": caller("viewer", Permission.READ),
        "approver": caller("approver", Permission.READ, Permission.APPROVE),
        "admin": caller("admin", *Permission),
    }
)


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Running]:
    """With every room, since every page says in which mode trust is."""
    with running(tmp_path / "plane", FakeClock(datetime.now(UTC)), ROOMS, DOOR) as up:
        yield up


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Where nothing that a test asks for changes anything."""
    rooms = (access, trust, devices)
    with running(tmp_path_factory.mktemp("quiet"), FakeClock(datetime.now(UTC)), rooms, DOOR) as up:
        yield up


def client(plane: Running, who: str) -> httpx.Client:
    return httpx.Client(base_url=plane.people_url, headers={"Authorization": f"Bearer {who}"}, timeout=PATIENCE)


def test_who_may_propose_and_who_may_sign(quiet: Running) -> None:
    change = {"kind": "renew", "role": "targets"}
    signatures = {"key": "0" * 64, "signatures": {}}
    for who, proposing, signing in (("viewer", 403, 403), ("approver", 403, 404), ("admin", 200, 404)):
        with client(quiet, who) as http:
            assert http.get("/api/v1/trust").status_code == 200
            assert http.post("/api/v1/trust/proposals", json=change).status_code == proposing
            where = "/api/v1/trust/proposals/proposal-99/signatures"
            assert http.post(where, json=signatures).status_code == signing
    assert httpx.get(f"{quiet.people_url}/api/v1/trust").status_code == 401


def test_metadata_is_read_and_nothing_else(quiet: Running) -> None:
    with client(quiet, "viewer") as http:
        root = http.get("/api/v1/trust/metadata/1.root.json")
        assert root.json()["signed"]["_type"] == "root"
        assert http.get("/api/v1/trust/metadata/9.root.json").status_code == 404
        assert http.get("/api/v1/trust/metadata/..%2Fkeys%2Ftuf-root.pem").status_code == 404


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "nonsense", "role": "root"}, "trust.kind_unknown"),
        ({"kind": "renew", "role": "nobody"}, "trust.role_unknown"),
        ({"kind": "key.add", "role": "root"}, "trust.change_incomplete"),
        ({"kind": "key.add", "role": "root", "public": "no key", "name": "x"}, "trust.key_invalid"),
        ({"kind": "key.remove", "role": "root", "key": "f" * 64}, "trust.key_unknown"),
        ({"kind": "threshold", "role": "root", "threshold": 2}, "trust.too_few_keys"),
        ({"kind": "threshold", "role": "root", "threshold": 1}, "trust.nothing_changed"),
        ({"kind": "key.add", "role": "timestamp"}, "trust.online_role"),
        ({"kind": "init", "keys": []}, "trust.change_incomplete"),
    ],
)
def test_changes_that_make_no_sense_are_refused_with_a_reason(
    quiet: Running, change: dict[str, object], code: str
) -> None:
    with client(quiet, "admin") as http:
        answer = http.post("/api/v1/trust/proposals", json=change)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]["code"] == code


def test_pages_say_developer_trust_until_the_keys_are_elsewhere(plane: Running, people: People) -> None:
    proposals = plane.apps.services["proposals"]
    house = House(plane.core)
    house.proposals = proposals
    with client(plane, "viewer") as http:
        page = http.get("/trust")
        assert page.status_code == 200
        assert 'class="mode"' in page.text
        house.take_over(people, approvers=2)
        for path in ("/trust", "/", "/events", "/trust/proposals/proposal-1"):
            page = http.get(path)
            assert page.status_code == 200
            assert 'class="mode"' not in page.text
        assert "offline trust" in http.get("/trust").text
        assert "anna" in http.get("/trust").text
        waiting = house.propose(kind="renew", role="targets").id
        assert waiting in http.get("/trust").text
        shown = http.get(f"/trust/proposals/{waiting}").text
        assert "1 of" in shown
        assert "nobody yet" in shown
        assert "/withdraw" not in shown
        assert http.post(f"/trust/proposals/{waiting}/withdraw").status_code == 403
        needs = http.get("/api/v1/overview").json()["needs"]
        assert "1 proposal waits for signatures" in [need["what"] for need in needs]
        assert http.get("/api/v1/overview").json()["trust_mode"] == "offline"
        assert [one["id"] for one in http.get("/api/v1/trust/proposals?limit=1").json()] == [waiting]
        assert len(http.get("/api/v1/trust/proposals").json()) > 1


def test_every_step_is_a_line_of_the_audit_trail_with_its_digest(house: House, core: Core, people: People) -> None:
    house.proposals.settle()
    house.take_over(people)
    waiting = house.approve(MODEL)
    with core.database.write() as session:
        house.proposals.withdraw(session, waiting.id, "no")
    with core.database.read() as session:
        rows = list(session.scalars(select(AuditRow).order_by(AuditRow.number)))
    actions = [row.action for row in rows if row.action.startswith("trust.")]
    assert actions[0] == "trust.begun"
    assert actions[-1] == "trust.withdrawn"
    assert {"trust.proposed", "trust.signed", "trust.published"} <= set(actions)
    published = [row for row in rows if row.action == "trust.published"]
    digests = {house.proposals.repository.digest(role) for role in ("root", "targets", "approvers", "builders")}
    assert {row.digest for row in published} == digests
    assert all(row.digest for row in rows if row.action in ("trust.proposed", "trust.signed"))


def test_a_key_shows_when_it_was_used_last(house: House, core: Core, people: People) -> None:
    house.take_over(people, approvers=2)
    core.clock.advance(3600)  # type: ignore[attr-defined]
    house.sign(house.approve(MODEL), people["approvers"][0])
    with core.database.read() as session:
        view = TrustPage(core, house.proposals).look(session)
    used = {key.name: key.last_used for role in view.roles for key in role.keys if role.name == "approvers"}
    assert used["anna"] > used["ben"]
    assert all(key.last_used for role in view.roles for key in role.keys)


def test_the_loop_renews_what_its_keys_sign_and_people_are_asked_for_the_rest(
    house: House, core: Core, people: People, device: Follower
) -> None:
    house.take_over(people)
    repository, page = house.proposals.repository, TrustPage(core, house.proposals)

    def needs() -> list[str]:
        with core.database.read() as session:
            return [need.command for need in page.needs(session)]

    assert needs() == []
    core.clock.advance(310 * 24 * 3600)  # type: ignore[attr-defined]
    before = {role: metadata.signed.version for role, metadata in repository.state()}
    TimestampLoop(core, repository).step()
    renewed = {role for role, metadata in repository.state() if metadata.signed.version > before[role]}
    assert renewed == {"staging", "snapshot", "timestamp"}
    assert needs() == [f"lineside trust renew {role}" for role in ("root", "targets", "approvers", "builders")]
    assert house.sign(house.propose(kind="renew", role="targets"), people["targets"][0]).state.value == "published"
    assert "lineside trust renew targets" not in needs()
    assert device.find(MODEL) is None


def test_a_key_that_was_made_for_a_withdrawn_rotation_is_deleted(house: House, core: Core, people: People) -> None:
    house.take_over(people)
    waiting = house.propose(kind="key.rotate", role="snapshot")
    assert len(list(core.keys.glob("tuf-snapshot*"))) == 2
    with core.database.write() as session:
        house.proposals.withdraw(session, waiting.id)
    assert [path.name for path in core.keys.glob("tuf-snapshot*")] == ["tuf-snapshot.pem"]


def test_a_threshold_that_falls_lets_a_waiting_proposal_go_out(house: House, people: People) -> None:
    house.take_over(people, approvers=2)
    waiting = house.sign(house.approve(MODEL), people["approvers"][0])
    assert waiting.signed == (1, 2)
    lower = house.propose(kind="threshold", role="approvers", threshold=1)
    assert [file.role for file in lower.files] == ["targets"]
    house.sign(lower, people["targets"][0])
    house.proposals.settle()
    assert house.find(waiting.id).state.value == "published"


def test_removing_an_approver_signs_the_approvers_metadata_again_in_the_same_proposal(
    house: House, device: Follower, people: People
) -> None:
    house.take_over(people)
    anna, ben = people["approvers"]
    house.sign(house.approve(MODEL), ben)
    removal = house.propose(kind="key.remove", role="approvers", key="ben")
    assert [file.role for file in removal.files] == ["targets", "approvers"]
    assert house.sign(removal, people["targets"][0]).state.value == "open"
    assert house.sign(house.find(removal.id), ben).signed == (0, 1)
    assert house.sign(house.find(removal.id), anna).state.value == "published"
    assert device.find(MODEL) is not None
