"""Certificates of devices: renewed, superseded, revoked; and a real Mosquitto that is told so."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import paho.mqtt.client as paho
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from paho.mqtt.enums import CallbackAPIVersion

from lineside.contract.device import CertificateAnswer, CertificatePurpose, CertificateRequest
from lineside.server.access.audit import AuditRow
from lineside.server.access.ca import open_ca, serial_of
from lineside.server.access.room import room as access
from lineside.server.devices.certificates import Certificates
from lineside.server.devices.room import room as devices
from lineside.server.devices.store import may_connect
from lineside.server.testing import FakeClock, Running, free_socket, running, until
from lineside.server.testing_device import TestDevice, key_pem, make_assertion, make_csr, make_key

PURPOSE = CertificatePurpose


def certificates(lineside: Running) -> Certificates:
    return Certificates(lineside.core, open_ca(lineside.core.keys, lineside.core.clock.now()))


def ask(device: TestDevice, key: Any, purpose: CertificatePurpose = PURPOSE.DEVICE) -> httpx.Response:
    return device.post("/certificate", CertificateRequest(csr=make_csr(key, device.name), purpose=purpose))


def renew(device: TestDevice, key: Any, purpose: CertificatePurpose = PURPOSE.DEVICE) -> str:
    answer = ask(device, key, purpose)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=CertificateAnswer).certificate


def prove(device: TestDevice, key: ec.EllipticCurvePrivateKey) -> httpx.Response:
    assertion = make_assertion(key, device.name, device.lineside.core.clock.now().timestamp())
    return httpx.post(f"{device.lineside.device_url}/device/v1/token", json={"client_assertion": assertion})


def serial(pem: str) -> str:
    return serial_of(x509.load_pem_x509_certificate(pem.encode()))


def connects(lineside: Running, pem: str, device: str = "cam-1") -> bool:
    with lineside.core.database.read() as session:
        return may_connect(session, device, serial(pem))


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def test_it_lives_as_long_as_the_setting_says(lineside: Running, clock: FakeClock) -> None:
    object.__setattr__(lineside.core.settings, "certificate_days", 7.0)
    found = x509.load_pem_x509_certificate(TestDevice.join(lineside, "cam-1").joined.certificate.encode())
    assert found.not_valid_after_utc - clock.now() == timedelta(days=7)
    shown = httpx.get(f"{lineside.people_url}/api/v1/devices/cam-1").json()
    assert shown["certificate_ends"] == "2026-01-08T00:00:00.000Z"


def test_both_keys_are_good_until_the_new_one_is_used(lineside: Running) -> None:
    device, new = TestDevice.join(lineside, "cam-1"), make_key()
    old = device.joined.certificate
    following = renew(device, new)
    assert renew(device, new) == following  # its answer was lost
    assert connects(lineside, old)
    assert connects(lineside, following)
    assert prove(device, device.key).status_code == 200
    assert prove(device, new).status_code == 200
    assert not connects(lineside, old)
    assert connects(lineside, following)
    assert not connects(lineside, following, "cam-2")
    assert code(prove(device, device.key)) == "auth.assertion_invalid"
    assert device.get("/desired").status_code == 200  # a token from before is good to its end
    with lineside.core.database.read() as session:
        lines = [row for row in session.query(AuditRow) if row.action == "certificate.renew"]
    assert [(row.actor, row.by, row.subject) for row in lines] == [("cam-1", "device", "cam-1")]


def test_what_a_renewal_refuses(lineside: Running) -> None:
    device, other = TestDevice.join(lineside, "cam-1"), TestDevice.join(lineside, "cam-2")
    first, second = make_key(), make_key()
    renew(device, first)
    assert code(ask(device, device.key)) == "certificate.same_key"
    assert code(ask(device, other.key)) == "join.key_in_use"
    assert code(ask(other, first)) == "join.key_in_use"
    wrong = device.post("/certificate", CertificateRequest(csr=make_csr(second, "cam-2")))
    assert code(wrong) == "join.csr_invalid"
    abandoned = renew(device, second)
    again = make_key()
    renew(device, again)
    assert not connects(lineside, abandoned)
    assert code(prove(device, second)) == "auth.assertion_invalid"
    assert prove(device, again).status_code == 200
    assert code(ask(device, device.key)) == "join.key_in_use"  # a key that it had before
    refused = httpx.get(f"{lineside.people_url}/api/v1/events", params={"kind": "certificate.refused"}).json()
    assert refused["total"] == 5


def test_a_certificate_for_the_broker_alone(lineside: Running, clock: FakeClock) -> None:
    device, keys = TestDevice.join(lineside, "cam-1"), [make_key() for _ in range(3)]
    found = []
    for key in keys:
        found.append(renew(device, key, PURPOSE.MQTT))
        clock.advance(1)
    assert [connects(lineside, one) for one in found] == [False, True, True]
    assert connects(lineside, device.joined.certificate)
    assert x509.load_pem_x509_certificate(found[0].encode()).not_valid_after_utc < clock.now() + timedelta(days=1)
    assert code(prove(device, keys[2])) == "auth.assertion_invalid"
    assert httpx.get(f"{lineside.people_url}/api/v1/devices/cam-1").json()["certificate_ends"].startswith("2026-04-01")


def test_the_revocation_list_is_public_signed_and_complete(lineside: Running, clock: FakeClock) -> None:
    revoked, renewed, fine = (TestDevice.join(lineside, name) for name in ("cam-1", "cam-2", "cam-3"))
    before = httpx.get(f"{lineside.device_url}/device/v1/crl")
    new = make_key()
    following = renew(renewed, new)
    prove(renewed, new)
    httpx.post(f"{lineside.people_url}/api/v1/devices/cam-1/revoke")
    crl = x509.load_pem_x509_crl(httpx.get(f"{lineside.device_url}/device/v1/crl").content)
    assert x509.load_pem_x509_crl(before.content).get_revoked_certificate_by_serial_number(1) is None
    ca = x509.load_pem_x509_certificate(fine.joined.ca.encode())
    assert crl.is_signature_valid(ca.public_key())  # type: ignore[arg-type]
    reasons = {
        f"{one.serial_number:x}": one.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
        for one in crl
    }
    assert reasons == {
        serial(revoked.joined.certificate): "privilegeWithdrawn",
        serial(renewed.joined.certificate): "superseded",
    }
    assert serial(following) not in reasons
    clock.advance(91 * 86_400)
    assert len(x509.load_pem_x509_crl(httpx.get(f"{lineside.device_url}/device/v1/crl").content)) == 0  # they ended


def test_its_file_is_kept_fresh(lineside: Running, clock: FakeClock) -> None:
    TestDevice.join(lineside, "cam-1")
    kept = certificates(lineside)
    kept.keep_file()
    first = kept.file.read_bytes()
    kept.keep_file()
    assert kept.file.read_bytes() == first
    clock.advance(86_401)
    kept.keep_file()
    after = x509.load_pem_x509_crl(kept.file.read_bytes())
    assert after.next_update_utc is not None
    assert after.next_update_utc > clock.now() + timedelta(days=6)


# --- a broker that is not ours ----------------------------------------------------------------------------------------


class Mosquitto:
    """It takes devices whose certificates are good by the CRL, and calls them by their common name."""

    def __init__(self, lineside: Running, folder: Path) -> None:
        folder.mkdir()
        with free_socket() as probe:
            self.port: int = probe.getsockname()[1]
        kept = certificates(lineside)
        server = folder / "server.pem"
        server.write_bytes(kept.ca.server_pem(["127.0.0.1"], datetime.now(UTC)))
        (folder / "acl").write_text("pattern readwrite lineside/v1/%u/#\n")
        self.ca = kept.ca.pem
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"cafile {lineside.core.keys / 'ca.pem'}",
            f"certfile {server}",
            f"keyfile {server}",
            f"crlfile {kept.file}",
            "require_certificate true",
            "use_identity_as_username true",
            f"acl_file {folder / 'acl'}",
            "user root",
        ]
        configuration = folder / "mosquitto.conf"
        configuration.write_text("\n".join(lines) + "\n")
        self.log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            ["/usr/sbin/mosquitto", "-v", "-c", str(configuration)], stdout=self.log, stderr=self.log
        )
        until(self._listens)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()

    def lets_in(self, folder: Path, key: Any, certificate: str) -> bool:
        """Whether a client with this certificate is welcomed."""
        file = folder / "client.pem"
        file.write_text(key_pem(key) + certificate)
        context = ssl.create_default_context(cadata=self.ca)
        context.load_cert_chain(file)
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="cam-1-agent")
        client.tls_set_context(context)
        outcome: list[bool] = []
        client.on_connect = lambda client, data, flags, reason, properties: outcome.append(not reason.is_failure)
        client.on_disconnect = lambda *_: outcome.append(False)
        try:
            client.connect("127.0.0.1", self.port)
            client.loop_start()
            until(lambda: outcome)
            return outcome[0]
        except OSError:
            return False
        finally:
            client.disconnect()
            client.loop_stop()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def now(tmp_path: Path) -> Iterator[Running]:
    """By the machine's clock, which Mosquitto looks at."""
    with running(tmp_path / "lineside", None, (access, devices)) as up:
        yield up


@pytest.mark.mosquitto
def test_mosquitto_refuses_what_was_superseded_or_revoked(now: Running, tmp_path: Path) -> None:
    device, kept, new = TestDevice.join(now, "cam-1"), certificates(now), make_key()
    kept.keep_file()
    broker = Mosquitto(now, tmp_path / "broker")
    try:
        assert broker.lets_in(tmp_path, device.key, device.joined.certificate)
        following = renew(device, new)
        assert broker.lets_in(tmp_path, new, following)
        prove(device, new)
        _reload(kept, broker)
        assert not broker.lets_in(tmp_path, device.key, device.joined.certificate)
        assert broker.lets_in(tmp_path, new, following)
        httpx.post(f"{now.people_url}/api/v1/devices/cam-1/revoke")
        _reload(kept, broker)
        assert not broker.lets_in(tmp_path, new, following)
    finally:
        broker.end()


def _reload(kept: Certificates, broker: Mosquitto) -> None:
    kept.keep_file()
    before = Path(broker.log.name).read_bytes().count(b"Reloading config")
    broker.process.send_signal(signal.SIGHUP)
    until(lambda: Path(broker.log.name).read_bytes().count(b"Reloading config") > before)
