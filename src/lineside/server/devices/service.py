"""Use cases of the devices room: prove who it is, show it. How devices join is in `joining`, what people decide about
them in `standing`."""

from __future__ import annotations

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.device import AccessToken, Device, DeviceState
from lineside.contract.errors import LinesideError
from lineside.server.access.caller import Caller, acting, current
from lineside.server.access.doorstep import Doorstep
from lineside.server.access.tokens import AccessTokens, Proof
from lineside.server.devices import model
from lineside.server.devices.certificates import Certificates
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.instances import Count, Verdict, judge
from lineside.server.devices.standing import Standing
from lineside.server.devices.store import DeviceRow, all_devices, ends_of, groups_of
from lineside.server.services import Core


class Devices:
    """All devices of this control plane: how they prove who they are, and how they are shown."""

    def __init__(self, core: Core, tokens: AccessTokens, certificates: Certificates, standing: Standing) -> None:
        self._core = core
        self._tokens = tokens
        self._certificates = certificates
        self._standing = standing
        self._desired = DesiredDocuments(core)
        self._told = Doorstep(core.clock)

    # --- access ---------------------------------------------------------------------------------------------------

    def token(self, assertion: str) -> AccessToken:
        """An access token for a client assertion. Raises `auth.*`; each refusal is an event too.

        A device whose count shows that there are two of it is quarantined, and gets a token that lets it report.
        """
        try:
            with self._core.database.write() as session:
                proof = self._tokens.prove(session, assertion, lambda device: self._keys(session, device))
                with acting(Caller(name=proof.device, by="device", source=current().source)):
                    row, superseded = self._proven(session, proof)
                    issued = self._tokens.issue(row.name, DeviceState(row.state))
        except LinesideError as error:
            subject = error.params.get("device", "?")
            if self._told.passes(current().source):  # else a stranger could fill the disk with refusals
                self._record(kind="token.refused", subject=subject, message=error.message, error=error)
            raise
        for serial in superseded:
            self._core.hints.drop(proof.device, serial)
        return issued

    def _proven(self, session: Session, proof: Proof) -> tuple[DeviceRow, list[str]]:
        """What an assertion changes: its count is remembered, and a new key takes the old one's place."""
        row = session.get_one(DeviceRow, proof.device)
        self._count(session, row, proof)
        superseded = self._certificates.promote(session, row) if proof.key == row.next_key else []
        return row, superseded

    def _count(self, session: Session, row: DeviceRow, proof: Proof) -> None:
        if proof.count is None or proof.nonce is None:
            if row.counted is not None:
                raise LinesideError("auth.assertion_uncounted", device=row.name)
            return
        said = Count(count=proof.count, nonce=proof.nonce, earlier=proof.earlier)
        match judge(row.counted, said):
            case Verdict.NEWER:
                row.counted = said
            case Verdict.LATE:
                raise LinesideError("auth.assertion_late", device=row.name)
            case Verdict.CLONED if row.state == DeviceState.ACCEPTED.value:
                assert row.counted is not None
                why = f"it counts {said.count}, after {row.counted.count} was heard"
                self._standing.cloned(session, row, why)
            case _:
                pass

    def authenticate(self, access_token: str, *, quarantined: bool = False) -> str:
        """The accepted device an access token belongs to; with `quarantined` it may be that too. Raises `auth.*`."""
        device = self._tokens.device_of(access_token)
        with self._core.database.read() as session:
            row = _known(session, device)
            if row.state == DeviceState.QUARANTINED.value and not quarantined:
                raise LinesideError("auth.device_quarantined", device=device)
        return device

    def _keys(self, session: Session, device: str) -> list[str]:
        row = _known(session, device)
        return [row.key, row.next_key] if row.next_key else [row.key]

    # --- showing --------------------------------------------------------------------------------------------------

    def list(self) -> list[Device]:
        """Every device, by name."""
        with self._core.database.read() as session:
            groups = groups_of(session)
            ends = ends_of(session)
            return [
                self._shown(session, row, groups.get(row.name, ()), ends.get(row.name)) for row in all_devices(session)
            ]

    def get(self, name: str) -> Device:
        """One device. Raises `request.not_found`."""
        with self._core.database.read() as session:
            groups, ends = groups_of(session).get(name, ()), ends_of(session).get(name)
            shown = self._shown(session, _found(session, name), groups, ends)
            return msgspec.structs.replace(shown, wanted=self._desired.desired(session, name).components)

    def _shown(self, session: Session, row: DeviceRow, groups: tuple[str, ...], ends: str | None) -> Device:
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
            fingerprint=row.fingerprint,
            certificate_ends=ends,
            asked_from=row.asked_from,
            state_at=row.state_at,
            state_why=row.state_why,
            report=row.report,
        )

    def _record(self, *, kind: str, subject: str, message: str, error: LinesideError) -> None:
        with self._core.database.write() as session:
            self._core.events.record(session, kind=kind, subject=subject, message=message, error=error.report())


def _known(session: Session, device: str) -> DeviceRow:
    """A device that may prove who it is. Raises `auth.*`."""
    row = session.get(DeviceRow, device)
    if row is None:
        raise LinesideError("auth.assertion_invalid", why="no such device has joined", device=device[:63])
    if row.state == DeviceState.REVOKED.value:
        raise LinesideError("auth.device_revoked", device=device)
    if row.state == DeviceState.PENDING.value:
        raise LinesideError("auth.device_pending", device=device)
    return row


def _found(session: Session, name: str) -> DeviceRow:
    row = session.get(DeviceRow, name)
    if row is None:
        raise LinesideError("request.not_found", what="device", name=name)
    return row
