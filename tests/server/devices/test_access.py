"""Access: a device proves its key, gets a token for ten minutes, and sees only its own things."""

from __future__ import annotations

import base64
import hmac

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lineside.contract.desired import DesiredComponent
from lineside.server.access.doorstep import TRIES
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.testing import FakeClock, Running
from lineside.server.testing_device import TestDevice, make_assertion, make_key

URL = "/device/v1"


def post_token(lineside: Running, assertion: str) -> httpx.Response:
    return httpx.post(f"{lineside.device_url}{URL}/token", json={"client_assertion": assertion})


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def test_an_assertion_is_good_once(lineside: Running, clock: FakeClock) -> None:
    device = TestDevice.join(lineside, "cam-1")
    assertion = device.assertion()
    assert post_token(lineside, assertion).status_code == 200
    assert code(post_token(lineside, assertion)) == "auth.assertion_replayed"
    refused = httpx.get(f"{lineside.people_url}/api/v1/events", params={"kind": "token.refused"}).json()
    assert (refused["total"], refused["events"][0]["subject"]) == (1, "cam-1")
    clock.advance(121)  # past its end and the leeway: forgotten, and expired
    assert code(post_token(lineside, assertion)) == "auth.assertion_expired"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"aud": "another"}, "auth.assertion_invalid"),
        ({"iss": "cam-2"}, "auth.assertion_invalid"),
        ({"iss": "ghost", "sub": "ghost"}, "auth.assertion_invalid"),
        ({"jti": "short"}, "auth.assertion_invalid"),
        ({"jti": 7}, "auth.assertion_invalid"),
        ({"exp": 0}, "auth.assertion_expired"),
        ({"exp": 4e9}, "auth.assertion_expired"),
        ({"iat": 4e9}, "auth.assertion_expired"),
    ],
)
def test_a_wrong_assertion_is_refused(lineside: Running, changes: dict[str, object], expected: str) -> None:
    device = TestDevice.join(lineside, "cam-1")
    answer = post_token(lineside, device.assertion(**changes))
    assert (answer.status_code, code(answer)) == (401, expected)


def test_only_the_devices_own_key_counts(lineside: Running, clock: FakeClock) -> None:
    TestDevice.join(lineside, "cam-1")
    forged = make_assertion(make_key(), "cam-1", clock.now().timestamp())
    assert code(post_token(lineside, forged)) == "auth.assertion_invalid"
    for nonsense in ("", "a.b", "a.b.c", "a.YQ.c", "a.é.c"):
        assert code(post_token(lineside, nonsense)) == "auth.assertion_invalid"


def test_a_stranger_fills_no_disk_with_refusals(lineside: Running, clock: FakeClock) -> None:
    for _ in range(TRIES + 5):
        assert code(post_token(lineside, "a.b.c")) == "auth.assertion_invalid"
    events = f"{lineside.people_url}/api/v1/events"
    assert httpx.get(events, params={"kind": "token.refused"}).json()["total"] == TRIES
    clock.advance(61)
    post_token(lineside, "a.b.c")
    assert httpx.get(events, params={"kind": "token.refused"}).json()["total"] == TRIES + 1


def test_no_algorithm_but_the_devices_own_counts(lineside: Running) -> None:
    """Not "none", and not the public key, which anybody may have, taken for a secret (RFC 8725, section 3.1)."""
    device = TestDevice.join(lineside, "cam-1")
    header, claims, _ = device.assertion().split(".")
    public = device.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for algorithm in ("none", "HS256"):
        changed = _encoded({"alg": algorithm})
        signed = hmac.digest(public, f"{changed}.{claims}".encode(), "sha256") if algorithm == "HS256" else b""
        forged = f"{changed}.{claims}.{base64.urlsafe_b64encode(signed).decode().rstrip('=')}"
        assert code(post_token(lineside, forged)) == "auth.assertion_invalid"
    assert code(post_token(lineside, f"{header}.{claims}.")) == "auth.assertion_invalid"


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def test_every_other_route_asks_for_a_token(lineside: Running, clock: FakeClock) -> None:
    device = TestDevice.join(lineside, "cam-1")
    url = f"{lineside.device_url}{URL}/desired"
    assert code(httpx.get(url)) == "auth.token_missing"
    assert code(httpx.get(url, headers={"Authorization": "Bearer nonsense"})) == "auth.token_invalid"
    assert code(httpx.get(url, headers={"Authorization": f"Bearer {device.assertion()}"})) == "auth.token_invalid"
    assert device.get("/desired").status_code == 200
    clock.advance(601)
    assert code(device.get("/desired")) == "auth.token_expired"


def test_the_public_routes_are_exactly_four(lineside: Running) -> None:
    public = set()
    for route in lineside.apps.devices.routes:
        for handler in getattr(route, "route_handlers", []):
            if route.path.startswith(URL) and handler.opt.get("public"):
                public.add(route.path)
    assert public == {f"{URL}/ca", f"{URL}/crl", f"{URL}/join", f"{URL}/token"}


def test_a_revoked_device_may_do_nothing(lineside: Running) -> None:
    device = TestDevice.join(lineside, "cam-1")
    device.token()
    shown = httpx.post(f"{lineside.people_url}/api/v1/devices/cam-1/revoke").json()
    assert (shown["state"], shown["summary"], shown["healthy"]) == ("revoked", "revoked", False)
    assert code(device.get("/desired")) == "auth.device_revoked"
    assert code(post_token(lineside, device.assertion())) == "auth.device_revoked"
    assert httpx.post(f"{lineside.people_url}/api/v1/devices/cam-1/revoke").status_code == 200


def test_a_device_reads_its_own_document(lineside: Running) -> None:
    first, second = TestDevice.join(lineside, "cam-1"), TestDevice.join(lineside, "cam-2")
    part = DesiredComponent(name="m.model", version="1.0.0", target="models/m.json", recipe_digest="sha256:" + "a" * 64)
    with lineside.core.database.write() as session:
        DesiredDocuments(lineside.core).set_many(session, ["cam-1"], [part], "d-1")
    assert first.get("/desired").json()["components"][0]["name"] == "m.model"
    assert second.get("/desired").json()["components"] == []
