"""Devices that are put into the database of a new control plane: real keys, signing requests and certificates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from sqlalchemy import insert

from lineside.contract.desired import DesiredComponent
from lineside.contract.device import DeviceState
from lineside.server.access.ca import open_ca
from lineside.server.clock import SystemClock, rfc3339
from lineside.server.database.schema import bring_up
from lineside.server.devices.certificates import Certificates
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.facts import remember
from lineside.server.devices.membership import ensure_group
from lineside.server.devices.store import DeviceRow, GroupRow
from lineside.server.root import open_core
from lineside.server.services import Core
from lineside.server.settings import Settings

GROUP = "fleet"
FACTS = {
    "os": "linux",
    "architecture": "aarch64",
    "cores": 4,
    "kernel": "6.6.20+rpt-rpi-v8",
    "python": "3.11.7",
    "agent": "0",
    "boot_id": "8f0c3c1e-5f5e-4c0e-9d4e-0d9f2f5b7a11",
    "memory_bytes": 4_000_000_000,
    "memory_available_bytes": 2_345_678_901,
    "disk_free_bytes": 12_345_678_901,
    "load": 0.4,
    "uptime_seconds": 86_400,
    "link": "ethernet",
    "temperature_celsius": 48.5,
    "agent_cpu_percent": 0.1,
    "agent_memory_bytes": 34_000_000,
    "transferred_bytes": 123_456_789,
}
"""What an agent says of its device."""
_AT_ONCE = 500


@dataclass(slots=True)
class Member:
    """A device's name, private key and certificate (PEM)."""

    name: str
    key: ec.EllipticCurvePrivateKey
    certificate: str

    def pem(self) -> str:
        """Certificate and private key, as TLS wants them."""
        private = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return f"{self.certificate}{private}"


def component(release: int) -> DesiredComponent:
    """What the fleet is to run: one model, whose digest tells its release."""
    target = f"fleet.model/fleet.model-{release}.0.0.json"
    digest = f"sha256:{release:064x}"
    return DesiredComponent(name="fleet.model", version=f"{release}.0.0", target=target, recipe_digest=digest)


def populate(root: Path, database_url: str, count: int) -> list[Member]:
    """Put `count` accepted devices into the database of a new root; release 1 is the desired document of each."""
    (root / "keys").mkdir(mode=0o700, parents=True, exist_ok=True)
    core = open_core(root, Settings(database_url=database_url), SystemClock())
    try:
        bring_up(core.database)
        with core.database.write() as session:
            ensure_group(session, GROUP, rfc3339(core.clock.now()))
        certificates = Certificates(core, open_ca(core.keys, core.clock.now()))
        names = [f"dev-{number:05d}" for number in range(count)]
        fleet: list[Member] = []
        for start in range(0, count, _AT_ONCE):
            fleet += _join(core, certificates, names[start : start + _AT_ONCE])
        with core.database.write() as session:
            DesiredDocuments(core).set_many(session, names, [component(1)], "fleet-1")
        return fleet
    finally:
        core.database.close()


def _join(core: Core, certificates: Certificates, names: Sequence[str]) -> list[Member]:
    now = rfc3339(core.clock.now())
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in names}
    requests = {name: signing_request(key, name) for name, key in keys.items()}
    with core.database.write() as session:
        session.execute(insert(DeviceRow), [_row(certificates, name, requests[name], now) for name in names])
        session.execute(insert(GroupRow), [{"device": name, "group": GROUP} for name in names])
        signed = {name: certificates.sign(session, name, requests[name]).certificate for name in names}
        for row in session.query(DeviceRow).where(DeviceRow.name.in_(names)):
            row.certificate = signed[row.name]
            remember(session, row, FACTS)
    return [Member(name, keys[name], signed[name]) for name in names]


def signing_request(key: ec.EllipticCurvePrivateKey, name: str) -> str:
    """A certificate signing request with the subject CN=`name`, PEM."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


def _row(certificates: Certificates, name: str, csr: str, now: str) -> dict[str, Any]:
    key = certificates.ca.read_request(csr, name)
    return {
        "name": name,
        "state": DeviceState.ACCEPTED.value,
        "twin": False,
        "key": key.public_key,
        "fingerprint": key.fingerprint,
        "certificate": "",
        "token": "",
        "facts": {},
        "joined_at": now,
        "last_seen": now,
    }
