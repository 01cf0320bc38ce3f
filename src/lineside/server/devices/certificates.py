"""Devices' certificates: signed, renewed with a new key, and taken back.

device  --CSR of a new key, access token by the old one-->  control plane
device  <--certificate of the new key--                     both keys are good now
device  --assertion by the new key-->                       the old one and its certificate are superseded
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from cryptography import x509
from sqlalchemy.orm import Session

from lineside.contract.device import CertificateAnswer, CertificatePurpose, CertificateRequest
from lineside.contract.errors import LinesideError
from lineside.server.access.ca import CertificateAuthority, SignedKey, Withdrawn
from lineside.server.adapters.files import write_atomic
from lineside.server.clock import parse_rfc3339, rfc3339
from lineside.server.devices import store
from lineside.server.devices.store import GOOD, SUPERSEDED, WITHDRAWN, CertificateRow, DeviceRow
from lineside.server.services import Core

CRL_LIFE = timedelta(days=7)
MQTT_LIFE = timedelta(days=1)
"""A broker-only certificate's key lies in a file, beside the chip that was to keep keys out of files."""
_REASONS = {
    SUPERSEDED: x509.ReasonFlags.superseded,
    WITHDRAWN: x509.ReasonFlags.privilege_withdrawn,
}


class Certificates:
    """Every certificate of every device. What takes a session is part of the caller's transaction."""

    def __init__(self, core: Core, ca: CertificateAuthority) -> None:
        self._core = core
        self.ca = ca
        self._list: tuple[tuple[str, ...], float, str] | None = None  # what it lists, until when, PEM

    def sign(
        self, session: Session, device: str, csr: str, purpose: CertificatePurpose = CertificatePurpose.DEVICE
    ) -> SignedKey:
        """A certificate for a key, remembered. Raises `join.csr_invalid`."""
        life = timedelta(days=self._core.settings.certificate_days)
        life = life if purpose is CertificatePurpose.DEVICE else min(life, MQTT_LIFE)
        now = self._core.clock.now()
        signed = self.ca.sign_request(csr, device, now, life)
        session.add(
            CertificateRow(
                serial=signed.serial,
                device=device,
                fingerprint=signed.fingerprint,
                purpose=purpose.value,
                ends_at=rfc3339(signed.ends_at),
                state=GOOD,
                state_at=rfc3339(now),
            )
        )
        return signed

    # --- renewal --------------------------------------------------------------------------------------------------

    def renew(self, device: str, request: CertificateRequest) -> CertificateAnswer:
        """The next certificate of a device; the same for the same key, however often it asks.

        Raises `join.csr_invalid`, `certificate.same_key`, `join.key_in_use`; each refusal is an event too.
        """
        try:
            with self._core.database.write() as session:
                row = session.get_one(DeviceRow, device)
                return CertificateAnswer(certificate=self._renewed(session, row, request))
        except LinesideError as error:
            with self._core.database.write() as session:
                self._core.events.record(
                    session, kind="certificate.refused", subject=device, message=error.message, error=error.report()
                )
            raise

    def _renewed(self, session: Session, row: DeviceRow, request: CertificateRequest) -> str:
        key = self.ca.read_request(request.csr, row.name)
        if key.fingerprint == row.next_fingerprint and request.purpose is CertificatePurpose.DEVICE:
            return str(row.next_certificate)
        if key.fingerprint == row.fingerprint:
            raise LinesideError("certificate.same_key", device=row.name)
        if store.key_is_taken(session, key.fingerprint):
            raise LinesideError("join.key_in_use", fingerprint=key.fingerprint)
        if request.purpose is CertificatePurpose.MQTT:
            self._make_room(session, row.name)
        else:
            self._forget_next(session, row)
        signed = self.sign(session, row.name, request.csr, request.purpose)
        if request.purpose is CertificatePurpose.DEVICE:
            row.next_key, row.next_fingerprint = signed.public_key, signed.fingerprint
            row.next_certificate = signed.certificate
        why = f"{request.purpose.value}, serial {signed.serial}, until {rfc3339(signed.ends_at)}"
        self._core.audit.record(session, "certificate.renew", row.name, digest=f"sha256:{signed.fingerprint}", why=why)
        return signed.certificate

    def _make_room(self, session: Session, device: str) -> None:
        """Of broker-only certificates the newest stays good, so that the device can change over to the next."""
        good = [one for one in store.certificates_of(session, device, GOOD) if one.purpose == _MQTT]
        for old in sorted(good, key=lambda one: one.ends_at)[:-1]:
            self._take_back(old, SUPERSEDED)

    def _forget_next(self, session: Session, row: DeviceRow) -> None:
        """A renewal that was begun with another key came to nothing."""
        for one in store.certificates_of(session, row.name, GOOD):
            if one.fingerprint == row.next_fingerprint:
                self._take_back(one, SUPERSEDED)

    def promote(self, session: Session, row: DeviceRow) -> list[str]:
        """The next key was used for an assertion: it is the device's key now. The serials that are superseded."""
        assert row.next_key is not None
        assert row.next_certificate is not None
        assert row.next_fingerprint is not None
        old = [one for one in store.certificates_of(session, row.name, GOOD) if one.fingerprint == row.fingerprint]
        for one in old:
            self._take_back(one, SUPERSEDED)
        row.key, row.certificate, row.fingerprint = row.next_key, row.next_certificate, row.next_fingerprint
        row.next_key = row.next_certificate = row.next_fingerprint = None
        words = "renewed its certificate; its old key is good no more"
        self._core.events.record(session, kind="certificate.renewed", subject=row.name, message=words, actor=row.name)
        return [one.serial for one in old]

    def withdraw(self, session: Session, device: str) -> None:
        """All certificates of a device are revoked."""
        for one in store.certificates_of(session, device, GOOD, SUPERSEDED):
            self._take_back(one, WITHDRAWN)

    def _take_back(self, row: CertificateRow, state: str) -> None:
        row.state, row.state_at = state, rfc3339(self._core.clock.now())

    # --- the broker -----------------------------------------------------------------------------------------------

    def may_connect(self, device: str, serial: str) -> bool:
        """Whether a device may connect to the broker with this certificate."""
        with self._core.database.read() as session:
            return store.may_connect(session, device, serial)

    def revocation_list(self) -> str:
        """The CRL, PEM: certificates that were revoked or superseded and have not ended. Signed anew when that changes,
        and after a day."""
        now = self._core.clock.now()
        with self._core.database.read() as session:
            rows = store.withdrawn(session, rfc3339(now))
        listed = tuple(f"{row.serial} {row.state}" for row in rows)
        if self._list is None or self._list[0] != listed or now.timestamp() >= self._list[1]:
            found = [Withdrawn(row.serial, parse_rfc3339(row.state_at), _REASONS[row.state]) for row in rows]
            pem = self.ca.revocation_list(found, now, CRL_LIFE)
            self._list = (listed, now.timestamp() + 86_400.0, pem)
        return self._list[2]

    def keep_file(self) -> None:
        """Keep R/keys/ca.crl fresh, for a broker that is not ours."""
        path, pem = self.file, self.revocation_list().encode()
        if not path.exists() or path.read_bytes() != pem:
            write_atomic(path, pem)

    @property
    def file(self) -> Path:
        """Where the CRL lies."""
        return self._core.keys / "ca.crl"


_MQTT = CertificatePurpose.MQTT.value
