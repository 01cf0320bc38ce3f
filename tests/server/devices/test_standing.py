"""Pending, accepted, quarantined, revoked: how a device gets into each state, and what it may do there."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from lineside.client import Client
from lineside.contract.device import DEVICE_MOVES, DeviceState, JoinRequest
from lineside.contract.ids import plain_fingerprint
from lineside.server.access.audit import AuditRow
from lineside.server.access.doorstep import TRIES
from lineside.server.devices.store import PreauthorisedRow
from lineside.server.testing import FakeClock, Running
from lineside.server.testing_device import TestDevice, make_csr, make_key, make_token

pytestmark = pytest.mark.both_databases


def ask(lineside: Running, name: str, key: ec.EllipticCurvePrivateKey, **fields: Any) -> httpx.Response:
    body = msgspec.json.encode(JoinRequest(name=name, csr=make_csr(key, name), **fields))
    return httpx.post(f"{lineside.device_url}/device/v1/join", content=body)


def people(lineside: Running, method: str, path: str, **options: Any) -> httpx.Response:
    return httpx.request(method, f"{lineside.people_url}/api/v1{path}", **options)


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def audited(lineside: Running) -> list[tuple[str, str, str]]:
    """Action, subject and actor of every decision."""
    with lineside.core.database.read() as session:
        rows = session.query(AuditRow).order_by(AuditRow.number)
        return [(row.action, row.subject, row.actor) for row in rows]


def device_of(lineside: Running, name: str, key: ec.EllipticCurvePrivateKey) -> TestDevice:
    """A device that asked without a token, once it was let in."""
    answer = ask(lineside, name, key)
    assert answer.status_code == 200, answer.text
    from lineside.contract.device import JoinAnswer

    return TestDevice(lineside, name, key, msgspec.json.decode(answer.content, type=JoinAnswer))


def test_without_a_token_it_waits_until_a_person_accepts_the_key_that_is_shown(lineside: Running) -> None:
    key = make_key()
    asked = ask(lineside, "cam-1", key).json()
    assert asked["state"] == "pending"
    assert not asked.get("certificate")
    shown = people(lineside, "GET", "/devices/cam-1").json()
    assert (shown["state"], shown["summary"], shown["fingerprint"]) == ("pending", "pending", asked["fingerprint"])
    assert (shown["asked_from"], shown["groups"]) == ("127.0.0.1", [])
    assert ask(lineside, "cam-1", key).json()["state"] == "pending"
    waiting = TestDevice(lineside, "cam-1", key, None)  # type: ignore[arg-type]
    refused = httpx.post(f"{lineside.device_url}/device/v1/token", json={"client_assertion": waiting.assertion()})
    assert code(refused) == "auth.device_pending"
    wrong = people(lineside, "POST", "/devices/cam-1/accept", json={"fingerprint": "ab" * 32})
    assert (wrong.status_code, code(wrong)) == (409, "device.fingerprint_mismatch")
    with_colons = ":".join(asked["fingerprint"][n : n + 2].upper() for n in range(0, 64, 2))
    accepted = people(lineside, "POST", "/devices/cam-1/accept", json={"fingerprint": with_colons, "group": "line-a"})
    assert (accepted.json()["state"], accepted.json()["groups"]) == ("accepted", ["line-a"])
    assert device_of(lineside, "cam-1", key).get("/desired").status_code == 200
    assert ("device.accept", "cam-1", "tester") in audited(lineside)


def test_a_pending_one_is_turned_away_and_forgotten(lineside: Running) -> None:
    ask(lineside, "cam-1", make_key())
    shown = people(lineside, "POST", "/devices/cam-1/revoke", params={"why": "nobody knows it"})
    assert shown.json()["state"] == "revoked"
    assert people(lineside, "GET", "/devices").json()["devices"] == []
    assert ask(lineside, "cam-1", make_key()).json()["state"] == "pending"
    assert [row[:2] for row in audited(lineside)] == [("device.revoke", "cam-1")]


def test_a_name_or_a_key_belongs_to_one_device(lineside: Running) -> None:
    key, other = make_key(), make_key()
    ask(lineside, "cam-1", key)
    assert code(ask(lineside, "cam-1", other)) == "join.name_taken"
    assert code(ask(lineside, "cam-2", key)) == "join.key_in_use"
    token = make_token(lineside).token
    assert ask(lineside, "cam-1", other, token=token).json()["state"] == "accepted"  # leave beats who asked first
    assert code(ask(lineside, "cam-3", other, token=make_token(lineside).token)) == "join.key_in_use"
    people(lineside, "POST", "/devices/cam-1/revoke")
    assert code(ask(lineside, "cam-1", other)) == "auth.device_revoked"
    assert code(ask(lineside, "cam-3", other, token=make_token(lineside).token)) == "join.key_in_use"


def test_a_preauthorised_key_joins_once_under_its_name(lineside: Running) -> None:
    key = make_key()
    fingerprint = ask(lineside, "probe", key).json()["fingerprint"]
    people(lineside, "POST", "/devices/probe/revoke")
    body = {"fingerprint": f"SHA256:{fingerprint}", "name": "cam-7", "group": "line-b"}
    assert people(lineside, "POST", "/preauthorised", json=body).status_code == 201
    assert [one["name"] for one in people(lineside, "GET", "/preauthorised").json()["keys"]] == ["cam-7"]
    assert code(ask(lineside, "cam-8", key)) == "join.other_name"
    assert ask(lineside, "cam-7", key).json()["state"] == "accepted"
    assert people(lineside, "GET", "/devices/cam-7").json()["groups"] == ["line-b"]
    assert people(lineside, "GET", "/preauthorised").json()["keys"] == []
    assert code(people(lineside, "POST", "/preauthorised", json=body)) == "join.key_in_use"
    other = {"fingerprint": "cd" * 32, "name": "cam-9"}
    people(lineside, "POST", "/preauthorised", json=other)
    assert people(lineside, "POST", f"/preauthorised/{'cd' * 32}/remove").status_code == 200
    assert code(people(lineside, "POST", f"/preauthorised/{'cd' * 32}/remove")) == "request.not_found"
    for bad in ({"fingerprint": "zz", "name": "x"}, {"fingerprint": "cd" * 32, "name": "a/b"}):
        assert people(lineside, "POST", "/preauthorised", json=bad).status_code == 400
    actions = [row[0] for row in audited(lineside)]
    assert actions == ["device.revoke", "device.preauthorise", "device.join", *["device.preauthorise"] * 2]


def test_a_fleet_of_preauthorised_keys_comes_in_pages(lineside: Running) -> None:
    with lineside.core.database.write() as session:
        rows = ((f"{number:064x}", f"cam-{number:03}") for number in range(250))
        session.add_all(PreauthorisedRow(fingerprint=key, name=name, group="g", created_at="") for key, name in rows)
    client = Client(lineside.people_url)
    page = client.preauthorised(offset=200, limit=30)
    assert [one.name for one in page.keys] == [f"cam-{number}" for number in range(200, 230)]
    assert (page.offset, page.total) == (200, 250)
    assert (len(client.preauthorised().keys), client.preauthorised(offset=250).keys) == (100, ())
    first, last = (httpx.get(f"{lineside.people_url}/joining?offset={at}").text for at in (0, 200))
    assert ("1–100 of 250" in first, "cam-099" in first, "cam-100" in first) == (True, True, False)
    assert ("201–250 of 250" in last, 'href="?offset=300"' in last) == (True, False)


def test_one_that_waits_may_be_preauthorised_or_bring_a_token(lineside: Running) -> None:
    first, second = make_key(), make_key()
    fingerprint = ask(lineside, "cam-1", first).json()["fingerprint"]
    people(lineside, "POST", "/preauthorised", json={"fingerprint": fingerprint, "name": "cam-1"})
    assert ask(lineside, "cam-1", first).json()["state"] == "accepted"
    ask(lineside, "cam-2", second)
    assert ask(lineside, "cam-2", second, token=make_token(lineside).token).json()["state"] == "accepted"


def test_only_so_many_wait_and_only_so_often(lineside: Running, clock: FakeClock) -> None:
    object.__setattr__(lineside.core.settings, "pending_devices", 2)
    for number in (1, 2):
        assert ask(lineside, f"cam-{number}", make_key()).status_code == 200
    assert code(ask(lineside, "cam-3", make_key())) == "join.too_many_pending"
    clock.advance(86_401)
    assert ask(lineside, "cam-3", make_key()).status_code == 200  # the one that asked longest ago makes room
    assert people(lineside, "GET", "/devices").json()["total"] == 2
    answers = {code(ask(lineside, "cam-9", make_key(), token=f"lsj_guess-{n}")) for n in range(TRIES - 1)}
    assert answers == {"join.token_unknown"}
    throttled = ask(lineside, "cam-9", make_key(), token=make_token(lineside).token)
    assert (throttled.status_code, code(throttled)) == (429, "join.throttled")
    clock.advance(61)
    assert ask(lineside, "cam-9", make_key(), token=make_token(lineside).token).status_code == 200
    object.__setattr__(lineside.core.settings, "pending_devices", 0)
    assert code(ask(lineside, "cam-10", make_key())) == "join.token_needed"
    assert code(ask(lineside, "twin-1", make_key(), twin=True)) == "join.token_needed"


def test_a_quarantined_device_reports_and_asks_and_gets_nothing_to_install(lineside: Running) -> None:
    device = TestDevice.join(lineside, "cam-1")
    before = device.get("/desired")
    shown = people(lineside, "POST", "/devices/cam-1/quarantine", params={"why": "odd results"}).json()
    assert (shown["state"], shown["state_why"], shown["healthy"]) == ("quarantined", "odd results", False)
    assert device.get("/desired").json() == before.json()
    assert device.report(revision=0).status_code == 200
    assert device.get("/inquiries").status_code == 200
    body = {"csr": make_csr(make_key(), "cam-1")}
    for refused in (device.request("POST", "/certificate", json=body), ask(lineside, "cam-1", device.key)):
        assert (refused.status_code, code(refused)) == (403, "auth.device_quarantined")
    fresh = httpx.post(f"{lineside.device_url}/device/v1/token", json={"client_assertion": device.assertion()})
    assert fresh.json()["state"] == "quarantined"
    people(lineside, "POST", "/devices/cam-1/accept", json={"fingerprint": shown["fingerprint"]})
    assert device.request("POST", "/certificate", json=body).status_code == 200
    people(lineside, "POST", "/devices/cam-1/revoke", params={"why": "stolen"})
    assert code(device.get("/desired")) == "auth.device_revoked"
    illegal = people(lineside, "POST", "/devices/cam-1/quarantine")
    assert code(illegal) == "state.illegal_move"
    assert code(people(lineside, "POST", "/devices/cam-1/accept", json={"fingerprint": shown["fingerprint"]})) == (
        "state.illegal_move"
    )
    actions = [row for row in audited(lineside) if row[0].startswith(("device.", "token."))]
    assert [row[0] for row in actions] == [
        "token.create",
        "device.join",
        "device.quarantine",
        "device.accept",
        "device.revoke",
    ]
    assert [row[2] for row in actions] == ["tester", "cam-1", "tester", "tester", "tester"]


def test_two_agents_with_one_identity_are_both_quarantined(lineside: Running) -> None:
    device = TestDevice.join(lineside, "cam-1")

    def count(number: int, nonce: str, *earlier: str) -> httpx.Response:
        assertion = device.assertion(count=number, nonce=nonce * 16, earlier=[one * 16 for one in earlier])
        return httpx.post(f"{lineside.device_url}/device/v1/token", json={"client_assertion": assertion})

    assert count(1, "a").json()["state"] == "accepted"
    assert count(3, "b", "c").json()["state"] == "accepted"
    assert code(count(2, "c")) == "auth.assertion_late"
    assert people(lineside, "GET", "/devices/cam-1").json()["state"] == "accepted"
    cloned = count(3, "x")
    assert (cloned.status_code, cloned.json()["state"]) == (200, "quarantined")
    assert count(4, "b").json()["state"] == "quarantined"
    shown = people(lineside, "GET", "/devices/cam-1").json()
    assert (shown["state"], "Two agents" in shown["state_why"]) == ("quarantined", True)
    (event,) = people(lineside, "GET", "/events", params={"kind": "device.cloned"}).json()["events"]
    assert event["error"]["code"] == "auth.cloned"
    assert ("device.clone", "cam-1", "cam-1") in audited(lineside)
    people(lineside, "POST", "/devices/cam-1/accept", json={"fingerprint": shown["fingerprint"]})
    assert count(2, "y").json()["state"] == "accepted"  # it counts anew
    uncounted = httpx.post(f"{lineside.device_url}/device/v1/token", json={"client_assertion": device.assertion()})
    assert code(uncounted) == "auth.assertion_uncounted"
    for bad in (
        {"count": -1, "nonce": "n" * 16},
        {"count": 2**70, "nonce": "n" * 16},
        {"count": 9},
        {"count": 9, "nonce": "n" * 65},
    ):
        answer = httpx.post(
            f"{lineside.device_url}/device/v1/token", json={"client_assertion": device.assertion(**bad)}
        )
        assert code(answer) == "auth.assertion_invalid"


def test_join_tokens_are_listed_and_taken_back(lineside: Running, clock: FakeClock) -> None:
    first, second = make_token(lineside, uses=2, group="line-a"), make_token(lineside)
    make_token(lineside, ttl_seconds=5)
    ask(lineside, "cam-1", make_key(), token=first.token)
    clock.advance(6)
    listed = people(lineside, "GET", "/join-tokens").json()
    assert sorted((one["group"], one["used"], one["uses"]) for one in listed) == [("default", 0, 1), ("line-a", 1, 2)]
    assert first.token not in str(listed)
    taken = next(one["id"] for one in listed if one["group"] == "line-a")
    assert people(lineside, "POST", f"/join-tokens/{taken}/revoke").json()["used"] == 1
    assert code(people(lineside, "POST", f"/join-tokens/{taken}/revoke")) == "request.not_found"
    assert code(ask(lineside, "cam-2", make_key(), token=first.token)) == "join.token_expired"
    assert ask(lineside, "cam-2", make_key(), token=second.token).status_code == 200
    assert "token.revoke" in [row[0] for row in audited(lineside)]


@pytest.mark.parametrize("given", ["SHA256:AB:CD", " abcd ", "abCD"])
def test_a_fingerprint_is_taken_as_people_copy_it(given: str) -> None:
    assert plain_fingerprint(given) == "abcd"


def test_every_state_but_the_last_can_be_left() -> None:
    assert set(DEVICE_MOVES) == set(DeviceState)
    assert [state for state, after in DEVICE_MOVES.items() if not after] == [DeviceState.REVOKED]
