"""Use cases of the devices room: join, prove, report, show, revoke."""

from __future__ import annotations

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.device import AccessToken, Device, DeviceState, JoinAnswer, JoinRequest
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.server.access.ca import CertificateAuthority
from lineside.server.access.join_tokens import JoinTokens
from lineside.server.access.store import JoinTokenRow
from lineside.server.access.tokens import AccessTokens
from lineside.server.adapters.tuf.repository import Repository
from lineside.server.clock import rfc3339
from lineside.server.devices import model
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.store import DeviceRow, GroupRow, all_devices, groups_of
from lineside.server.services import Core


class Devices:
    """All devices of this control plane."""

    def __init__(self, core: Core, ca: CertificateAuthority, join_tokens: JoinTokens, tokens: AccessTokens) -> None:
        self._core = core
        self._ca = ca
        self._join_tokens = join_tokens
        self._tokens = tokens
        self._desired = DesiredDocuments(core)

    # --- joining --------------------------------------------------------------------------------------------------

    def join(self, request: JoinRequest) -> JoinAnswer:
        """Use the token, store the device and sign its key: all in one transaction, or nothing.

        A device that was cut off before it had its answer may ask again with the same token and key. Raises `join.*`;
        each refusal is an event too.
        """
        try:
            with self._core.database.write() as session:
                row = self._join(session, request)
        except LinesideError as error:
            subject = request.name if is_name(request.name) else "?"
            self._record(kind="join.refused", subject=subject, message=error.message, error=error)
            raise
        return self._answer(row)

    def _join(self, session: Session, request: JoinRequest) -> DeviceRow:
        if not is_name(request.name):
            raise LinesideError("join.bad_name", name=request.name[:80])
        token = self._join_tokens.find(session, request.token)
        signed = self._ca.sign_request(request.csr, request.name, self._core.clock.now())
        known = session.get(DeviceRow, request.name)
        if known is not None and known.key == signed.public_key and known.token == token.hash and _accepted(known):
            return known
        self._join_tokens.use(session, token, twin=request.twin)
        if known is not None:
            raise LinesideError("join.name_taken", name=request.name)
        return self._store(session, request, token, signed.certificate, signed.public_key)

    def _store(self, session: Session, request: JoinRequest, token: JoinTokenRow, cert: str, key: str) -> DeviceRow:
        now = rfc3339(self._core.clock.now())
        row = DeviceRow(
            name=request.name,
            state=DeviceState.ACCEPTED.value,
            twin=request.twin,
            key=key,
            certificate=cert,
            token=token.hash,
            facts=request.facts,
            joined_at=now,
            last_seen=now,
            sequence=-1,
        )
        session.add(row)
        session.flush()
        session.add(GroupRow(device=row.name, group=token.group))
        words = f"joined the group {token.group}"
        self._core.events.record(session, kind="device.joined", subject=row.name, message=words, actor=row.name)
        return row

    def _answer(self, row: DeviceRow) -> JoinAnswer:
        return JoinAnswer(
            device=row.name,
            certificate=row.certificate,
            ca=self._ca.pem,
            tuf_root=Repository.below(self._core.root, self._core.clock.now).root(),
            mqtt_host=self._core.addresses.mqtt_host,
            mqtt_port=self._core.addresses.mqtt_port,
        )

    @property
    def ca_pem(self) -> str:
        """The CA's certificate, for a device to compare with the fingerprint it was given."""
        return self._ca.pem

    # --- access ---------------------------------------------------------------------------------------------------

    def token(self, assertion: str) -> AccessToken:
        """An access token for a client assertion. Raises `auth.*`; each refusal is an event too."""
        try:
            with self._core.database.write() as session:
                return self._tokens.exchange(session, assertion, lambda device: self._key(session, device))
        except LinesideError as error:
            subject = error.params.get("device", "?")
            self._record(kind="token.refused", subject=subject, message=error.message, error=error)
            raise

    def authenticate(self, access_token: str) -> str:
        """The accepted device an access token belongs to. Raises `auth.*`."""
        device = self._tokens.device_of(access_token)
        with self._core.database.read() as session:
            self._key(session, device)
        return device

    def _key(self, session: Session, device: str) -> str:
        row = session.get(DeviceRow, device)
        if row is None:
            raise LinesideError("auth.assertion_invalid", why="no such device has joined", device=device[:63])
        if not _accepted(row):
            raise LinesideError("auth.device_revoked", device=device)
        return row.key

    def revoke(self, name: str) -> Device:
        """The device may do nothing any more, from now on. Raises `request.not_found`."""
        with self._core.database.write() as session:
            row = _found(session, name)
            if _accepted(row):
                row.state = DeviceState.REVOKED.value
                row.revoked_at = rfc3339(self._core.clock.now())
                self._core.events.record(session, kind="device.revoked", subject=name, message="was revoked")
            shown = self._shown(session, row, groups_of(session).get(name, ()))
        self._core.hints.drop(name)
        return shown

    # --- showing --------------------------------------------------------------------------------------------------

    def list(self) -> list[Device]:
        """Every device, by name."""
        with self._core.database.read() as session:
            groups = groups_of(session)
            return [self._shown(session, row, groups.get(row.name, ())) for row in all_devices(session)]

    def get(self, name: str) -> Device:
        """One device. Raises `request.not_found`."""
        with self._core.database.read() as session:
            shown = self._shown(session, _found(session, name), groups_of(session).get(name, ()))
            return msgspec.structs.replace(shown, wanted=self._desired.desired(session, name).components)

    def _shown(self, session: Session, row: DeviceRow, groups: tuple[str, ...]) -> Device:
        settings, state = self._core.settings, DeviceState(row.state)
        desired = self._desired.desired(session, row.name)
        limit = max(settings.poll_seconds * settings.offline_polls, settings.offline_seconds)
        offline = model.is_offline(row.last_seen, self._core.clock.now(), limit)
        return Device(
            name=row.name,
            state=state,
            twin=row.twin,
            groups=groups,
            joined_at=row.joined_at,
            last_seen=row.last_seen,
            desired_revision=desired.revision,
            healthy=state is DeviceState.ACCEPTED and model.is_healthy(desired, row.report),
            summary=model.summary(state, desired, row.report, offline=offline),
            report=row.report,
        )

    def _record(self, *, kind: str, subject: str, message: str, error: LinesideError) -> None:
        with self._core.database.write() as session:
            self._core.events.record(session, kind=kind, subject=subject, message=message, error=error.report())


def _accepted(row: DeviceRow) -> bool:
    return row.state == DeviceState.ACCEPTED.value


def _found(session: Session, name: str) -> DeviceRow:
    row = session.get(DeviceRow, name)
    if row is None:
        raise LinesideError("request.not_found", what="device", name=name)
    return row
