"""Joining: one transaction, or nothing; each refusal has a code of its own and shows among the events."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from lineside.contract.device import Device, DevicePage, JoinRequest
from lineside.contract.event import EventPage
from lineside.server.testing import FakeClock, Running
from lineside.server.testing_device import TestDevice, make_csr, make_key, make_token

pytestmark = pytest.mark.both_databases


def post_join(lineside: Running, **fields: Any) -> httpx.Response:
    key = fields.pop("key", None) or make_key()
    fields.setdefault("csr", make_csr(key, fields["name"]))
    return httpx.post(f"{lineside.device_url}/device/v1/join", content=msgspec.json.encode(JoinRequest(**fields)))


def events(lineside: Running, kind: str) -> EventPage:
    answer = httpx.get(f"{lineside.people_url}/api/v1/events", params={"kind": kind})
    return msgspec.json.decode(answer.content, type=EventPage)


def devices(lineside: Running) -> tuple[Device, ...]:
    answer = httpx.get(f"{lineside.people_url}/api/v1/devices")
    return msgspec.json.decode(answer.content, type=DevicePage).devices


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def test_a_device_joins_and_is_in_its_tokens_group(lineside: Running) -> None:
    device = TestDevice.join(lineside, "cam-1", group="line-a")
    ca = x509.load_pem_x509_certificate(device.joined.ca.encode())
    certificate = x509.load_pem_x509_certificate(device.joined.certificate.encode())
    certificate.verify_directly_issued_by(ca)
    assert certificate.public_key() == device.key.public_key()
    assert '"_type":"root"' in device.joined.tuf_root.replace(" ", "")
    (shown,) = devices(lineside)
    assert (shown.name, shown.groups, shown.twin, shown.summary) == ("cam-1", ("line-a",), False, "idle")
    assert events(lineside, "device.joined").total == 1


def test_the_ca_is_public_and_has_the_tokens_fingerprint(lineside: Running) -> None:
    answer = httpx.get(f"{lineside.device_url}/device/v1/ca")
    from cryptography.hazmat.primitives.hashes import SHA256

    fingerprint = x509.load_pem_x509_certificate(answer.content).fingerprint(SHA256()).hex()
    assert make_token(lineside).ca_sha256 == fingerprint


@pytest.mark.parametrize(
    ("expected", "change"),
    [
        ("join.token_unknown", {"token": "lsj_guessed"}),
        ("join.bad_name", {"name": "a/b", "csr": make_csr(make_key(), "a/b")}),
        ("join.csr_invalid", {"csr": "no PEM"}),
        ("join.csr_invalid", {"csr": make_csr(make_key(), "somebody-else")}),
        ("join.csr_invalid", {"csr": make_csr(rsa.generate_private_key(65537, 2048), "cam-1")}),
        ("join.twin_mismatch", {"twin": True}),
    ],
)
def test_a_refusal_has_its_code_stores_nothing_and_leaves_the_token(
    lineside: Running, expected: str, change: dict[str, Any]
) -> None:
    token = make_token(lineside).token
    answer = post_join(lineside, **({"token": token, "name": "cam-1"} | change))
    assert code(answer) == expected
    assert devices(lineside) == ()
    (event,) = events(lineside, "join.refused").events
    assert event.error is not None
    assert event.error.code == expected
    assert post_join(lineside, token=token, name="cam-1").status_code == 200


def test_an_expired_token_is_refused(lineside: Running, clock: FakeClock) -> None:
    token = make_token(lineside, ttl_seconds=60).token
    clock.advance(61)
    assert code(post_join(lineside, token=token, name="cam-1")) == "join.token_expired"


def test_a_token_is_good_for_its_uses_only_even_at_once(lineside: Running) -> None:
    token = make_token(lineside, uses=3).token
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: post_join(lineside, token=token, name=f"cam-{n}"), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [403] * 5
    assert {code(answer) for answer in answers if answer.status_code == 403} == {"join.token_used"}
    assert len(devices(lineside)) == 3


def test_a_name_belongs_to_the_first(lineside: Running) -> None:
    TestDevice.join(lineside, "cam-1")
    token = make_token(lineside).token
    assert code(post_join(lineside, token=token, name="cam-1")) == "join.name_taken"
    assert post_join(lineside, token=token, name="cam-2").status_code == 200  # the use was not lost


def test_a_device_that_missed_its_answer_asks_again(lineside: Running) -> None:
    token, key = make_token(lineside).token, make_key()
    first = post_join(lineside, token=token, name="cam-1", key=key)
    again = post_join(lineside, token=token, name="cam-1", key=key)
    assert (first.status_code, again.json()["certificate"]) == (200, first.json()["certificate"])
    assert code(post_join(lineside, token=token, name="cam-1")) == "join.token_used"  # another key is another device


def test_twins_and_devices_use_tokens_of_their_own(lineside: Running) -> None:
    TestDevice.join(lineside, "twin-1", twin=True, group="ignored")
    (twin,) = devices(lineside)
    assert (twin.twin, twin.groups) == (True, ("twins",))
    refused = httpx.post(f"{lineside.people_url}/api/v1/devices/tokens", json={"group": "twins"})
    assert code(refused) == "request.invalid"
