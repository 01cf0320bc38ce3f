"""Renewal against a real control plane: the power goes at every write, and each time the device ends with one key that
the control plane takes and the certificate that belongs to it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from lineside.agent import crash
from lineside.agent.clock import Clock
from lineside.agent.health.conditions import Conditions
from lineside.agent.keys.opening import open_keys
from lineside.agent.keys.port import CURRENT, NEXT
from lineside.agent.link import vault
from lineside.agent.link.error import LinkError
from lineside.agent.link.https import Link
from lineside.agent.link.instance import Instance
from lineside.agent.link.join import JoinOptions, join, key_fingerprint
from lineside.agent.link.join_state import JoinState
from lineside.agent.link.renewal import Certified, Renewal
from lineside.agent.paths import Paths
from lineside.contract.device import CertificatePurpose
from lineside.contract.errors import RemoteError
from tests.server.processes import ControlPlaneProcess

POINTS = [name for name in crash.POINTS if name.startswith(("renewal.", "instance."))]
DAY = 86_400.0


class PowerCut(BaseException):
    """The power went."""


class Device:
    """One device's link and renewal; `boot` is what a start does."""

    def __init__(self, root: Path, state: JoinState) -> None:
        self.paths, self.state = Paths(root), state
        self.days = 61.0  # by the clock that tells whether it is time; certificates last 90
        self.renewed = 0
        self.links: list[Link] = []
        self.boot()

    def boot(self) -> None:
        self.conditions = Conditions()
        keys = open_keys(self.paths)
        self.link = Link(self.state.url, self.state.device, keys, self.paths.ca, instance=Instance(self.paths.instance))
        self.links.append(self.link)
        self.certified = Certified(keys, self.paths.certificate, CertificatePurpose.DEVICE)
        ahead = Clock(wall=lambda: time.time() + self.days * DAY)
        self.renewal = Renewal(self.certified, self.state.device, self.link, self.conditions, self._count, ahead)

    def _count(self) -> None:
        self.renewed += 1

    def close(self) -> None:
        for link in self.links:
            link.close()

    def look(self) -> None:
        """As if it was time to look."""
        self.renewal._next_look = 0.0
        self.renewal.look()

    @property
    def fingerprint(self) -> str:
        return key_fingerprint(open_keys(self.paths))

    @property
    def serial(self) -> str:
        return f"{self.certificate.serial_number:x}"

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.paths.certificate.read_bytes())

    def is_whole(self) -> bool:
        key = load_pem_private_key(self.paths.key.read_bytes(), None)
        return key.public_key() == self.certificate.public_key() and not self.certified.begun


@pytest.fixture
def device(real_plane: ControlPlaneProcess, tmp_path: Path) -> Iterator[Device]:
    name = f"cell-{time.time_ns()}"
    token = real_plane.post("/devices/tokens", {})["token"]
    url, ca = real_plane.found["device_url"], real_plane.found["ca_sha256"]
    state = join(JoinOptions(url=url, token=token, ca_sha256=ca, name=name), Paths(tmp_path / "device"))
    found = Device(tmp_path / "device", state)
    yield found
    found.close()


@pytest.fixture(autouse=True)
def _vault_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same acts without a process each: these tests are about what is on the disk in between."""
    from lineside.agent.keys import acts

    def ask(request: vault.Request) -> vault.Answer:
        return acts.ACTS[request.do](request)

    monkeypatch.setattr(vault, "_ask", ask)


def test_nothing_happens_before_two_thirds_of_its_life(device: Device) -> None:
    before, device.days = device.serial, 59.0
    device.look()
    assert (device.serial, device.renewed) == (before, 0)


def test_it_is_renewed_with_a_new_key_and_the_old_certificate_is_superseded(
    real_plane: ControlPlaneProcess, device: Device
) -> None:
    old_key, old_serial = device.fingerprint, device.serial
    device.look()
    assert device.renewed == 1
    assert device.is_whole()
    assert device.fingerprint != old_key
    shown = real_plane.get(f"/devices/{device.state.device}")
    assert shown["fingerprint"] == device.fingerprint
    crl = x509.load_pem_x509_crl(device.link._request("GET", "crl").read())
    assert crl.get_revoked_certificate_by_serial_number(int(old_serial, 16)) is not None
    assert crl.get_revoked_certificate_by_serial_number(int(device.serial, 16)) is None
    assert device.link.desired(None) is not None
    assert device.conditions.current() == ()


@pytest.mark.parametrize("point", POINTS)
def test_the_power_goes(
    real_plane: ControlPlaneProcess, device: Device, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, passed = device.fingerprint, []

    def cut(name: str) -> None:
        if name == point and not passed:
            passed.append(name)
            raise PowerCut

    monkeypatch.setattr(crash, "point", cut)
    with pytest.raises(PowerCut):
        device.look()
    device.boot()
    device.look()
    device.look()  # one that had finished but for a rename finds nothing more to do
    assert device.is_whole()
    assert device.fingerprint != old
    assert not device.certified.keys.exists(NEXT)
    shown = real_plane.get(f"/devices/{device.state.device}")
    assert (shown["fingerprint"], shown["state"]) == (device.fingerprint, "accepted")  # and nobody saw a clone
    device.boot()
    assert device.link.desired(None) is not None


def test_the_old_key_is_good_until_the_new_one_was_seen(
    real_plane: ControlPlaneProcess, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(promote: object) -> None:
        raise LinkError("link.timeout", url=device.state.url)

    monkeypatch.setattr(device.link, "adopt", unreachable)
    device.look()
    assert device.certified.begun
    device.boot()
    assert device.link.desired(None) is not None  # by the old key
    device.look()
    assert device.is_whole()


def test_a_control_plane_that_forgot_the_new_key_is_asked_again(device: Device) -> None:
    """Restored from a backup made before the renewal: the next key means nothing to it."""
    device.certified.keys.make(NEXT)
    device.certified.next.write_bytes(device.paths.certificate.read_bytes())
    device.boot()
    device.look()
    assert not device.certified.begun
    device.look()
    assert device.renewed == 1
    assert device.is_whole()


def test_a_refusal_is_a_condition_and_an_absence_only_when_time_runs_out(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lineside.contract.errors import ErrorReport

    errors: list[Exception] = [LinkError("link.timeout", url="x")] * 2
    errors.append(RemoteError(ErrorReport(code="auth.device_quarantined", message="It is quarantined."), 403))

    def fail(csr: str, purpose: CertificatePurpose) -> str:
        raise errors.pop(0)

    monkeypatch.setattr(device.link, "certificate", fail)
    device.look()
    assert device.conditions.current() == ()
    device.days = 80.0
    device.look()
    (found,) = device.conditions.current()
    assert found.code == "device.certificate_not_renewed"
    device.look()
    (found,) = device.conditions.current()
    assert "It is quarantined" in found.message
    monkeypatch.undo()
    device.boot()
    device.look()
    assert device.conditions.current() == ()


def test_a_device_that_was_away_beyond_its_certificates_end_renews(
    real_plane: ControlPlaneProcess, device: Device
) -> None:
    device.days = 400.0
    device.look()
    assert device.is_whole()
    assert device.renewed == 1


def test_a_second_certificate_for_the_broker_alone(real_plane: ControlPlaneProcess, device: Device) -> None:
    from lineside.agent.keys.opening import mqtt_keys

    keys = mqtt_keys(device.paths)
    certified = Certified(keys, device.paths.mqtt_certificate, CertificatePurpose.MQTT)
    renewal = Renewal(certified, device.state.device, device.link, Conditions(), lambda: None)
    before = device.fingerprint
    renewal._next_look = 0.0
    renewal.look()
    found = x509.load_pem_x509_certificate(device.paths.mqtt_certificate.read_bytes())
    assert (found.not_valid_after_utc - found.not_valid_before_utc).total_seconds() < 1.2 * DAY
    assert real_plane.get(f"/devices/{device.state.device}")["fingerprint"] == before
    device.links.append(Link(device.state.url, device.state.device, keys, device.paths.ca))
    with pytest.raises(RemoteError) as refused:
        device.links[-1].desired(None)  # its key proves nothing
    assert refused.value.code == "auth.assertion_invalid"


def test_keys_are_readable_by_their_owner_only(device: Device) -> None:
    device.look()
    for path in device.paths.key.parent.glob("*.key"):
        assert path.stat().st_mode & 0o777 == 0o600
    assert msgspec.json.decode(device.paths.instance.read_bytes()[:4096])["said"]["count"] >= 1
    assert open_keys(device.paths).exists(CURRENT)
