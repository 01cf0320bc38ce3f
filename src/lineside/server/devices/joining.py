"""Joining: a device with a token, with a preauthorised key, or with neither; then it waits for a person.

Everything is one transaction, or nothing. A device that was cut off before it had its answer asks again with the same
key and gets the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from lineside.contract.device import DeviceState, JoinAnswer, JoinRequest, JoinToken, JoinTokenRequest
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.server.access.ca import RequestedKey
from lineside.server.access.caller import Caller, acting, current
from lineside.server.access.doorstep import Doorstep
from lineside.server.access.join_tokens import JoinTokens
from lineside.server.clock import parse_rfc3339, rfc3339
from lineside.server.devices import store
from lineside.server.devices.certificates import Certificates
from lineside.server.devices.facts import remember
from lineside.server.devices.membership import ensure_group
from lineside.server.devices.store import DeviceRow, GroupRow, PreauthorisedRow
from lineside.server.services import Core

_FORGOTTEN = timedelta(days=1)
"""A device that waits and has not asked for so long makes room for another."""
_SEEN_SECONDS = 60.0


@dataclass(frozen=True)
class _Leave:
    """Why a device may join: by a token, or by its key."""

    group: str
    token: str = ""  # its hash
    why: str = ""


class Joining:
    """The devices' front door."""

    def __init__(self, core: Core, certificates: Certificates, join_tokens: JoinTokens) -> None:
        self._core = core
        self._certificates = certificates
        self._join_tokens = join_tokens
        self._doorstep, self._told = Doorstep(core.clock), Doorstep(core.clock)

    @property
    def ca_pem(self) -> str:
        """The CA's certificate, for a device to compare with the fingerprint it was given."""
        return self._certificates.ca.pem

    def create_token(self, request: JoinTokenRequest) -> JoinToken:
        """Make a join token; the group that it leads to is there from now on. Raises `request.invalid`."""
        with self._core.database.write() as session:
            made = self._join_tokens.create(session, request)
            ensure_group(session, made.group, rfc3339(self._core.clock.now()))
            return made

    def join(self, request: JoinRequest) -> JoinAnswer:
        """Let a device in, or let it wait. Raises `join.*`, `auth.device_*`; each refusal is an event too."""
        name = request.name if is_name(request.name) else "?"
        source = current().source
        with acting(Caller(name=name, by="device", source=source)):
            self._doorstep.look(source)
            try:
                with self._core.database.write() as session:
                    return self._answer(self._join(session, request, source))
            except LinesideError as error:
                if error.code in ("join.token_unknown", "join.too_many_pending"):
                    self._doorstep.count(source)
                if self._told.passes(source):  # else a stranger could fill the disk with refusals
                    self._refused(name, error)
                raise

    def _refused(self, name: str, error: LinesideError) -> None:
        with self._core.database.write() as session:
            self._core.events.record(
                session, kind="join.refused", subject=name, message=error.message, error=error.report()
            )

    def _join(self, session: Session, request: JoinRequest, source: str) -> DeviceRow:
        if not is_name(request.name):
            raise LinesideError("join.bad_name", name=request.name[:80])
        token = self._join_tokens.find(session, request.token) if request.token else None
        key = self._certificates.ca.read_request(request.csr, request.name)
        known = session.get(DeviceRow, request.name)
        same = known is not None and known.key == key.public_key
        if known is not None and same and not _waits(known):
            return self._again(session, known, request)
        if token is not None:
            self._join_tokens.use(session, token, twin=request.twin)
            leave = _Leave(token.group, token.hash, f"with the join token {token.hash[:12]}")
        else:
            found = self._preauthorised(session, request, key)
            if found is None and known is not None and same:
                return self._again(session, known, request)
            if found is None:
                return self._wait(session, request, key, source)
            leave = found
        if known is not None and not _waits(known):
            raise LinesideError("join.name_taken", name=request.name)
        if known is not None:
            session.delete(known)  # whoever asked under this name without leave
            session.flush()
        return self._accept(session, request, key, leave, source)

    def _again(self, session: Session, row: DeviceRow, request: JoinRequest) -> DeviceRow:
        """A device that asked before, by the same key."""
        now = self._core.clock.now()
        match DeviceState(row.state):
            case DeviceState.REVOKED:
                raise LinesideError("auth.device_revoked", device=row.name)
            case DeviceState.QUARANTINED:
                raise LinesideError("auth.device_quarantined", device=row.name)
            case DeviceState.ACCEPTED if not row.certificate:
                row.certificate = self._certificates.sign(session, row.name, request.csr).certificate
            case _:
                pass
        if row.last_seen is None or (now - parse_rfc3339(row.last_seen)).total_seconds() > _SEEN_SECONDS:
            row.last_seen = rfc3339(now)
        return row

    def _preauthorised(self, session: Session, request: JoinRequest, key: RequestedKey) -> _Leave | None:
        row = session.get(PreauthorisedRow, key.fingerprint)
        if row is None:
            return None
        if row.name != request.name:
            raise LinesideError("join.other_name", name=row.name)
        if request.twin:
            raise LinesideError("join.token_needed", what="A twin")
        session.delete(row)
        return _Leave(row.group, why="by its preauthorised key")

    def _wait(self, session: Session, request: JoinRequest, key: RequestedKey, source: str) -> DeviceRow:
        """Nobody has decided about this device yet: it is shown to people with its fingerprint."""
        if request.twin:
            raise LinesideError("join.token_needed", what="A twin")
        limit = self._core.settings.pending_devices
        if limit == 0:
            raise LinesideError("join.token_needed", what="A device")
        if session.get(DeviceRow, request.name) is not None:
            raise LinesideError("join.name_taken", name=request.name)
        waiting = store.pending(session)
        if len(waiting) >= limit:
            oldest = min(waiting, key=lambda row: str(row.last_seen))
            if str(oldest.last_seen) > rfc3339(self._core.clock.now() - _FORGOTTEN):
                raise LinesideError("join.too_many_pending", limit=limit)
            session.delete(oldest)
            session.flush()
        self._doorstep.count(source)
        row = self._store(session, request, key, DeviceState.PENDING, _Leave(""), source)
        words = f"asks to join from {source}, with the key {key.fingerprint}"
        self._core.events.record(session, kind="device.pending", subject=row.name, message=words, actor=row.name)
        return row

    def _accept(
        self, session: Session, request: JoinRequest, key: RequestedKey, leave: _Leave, source: str
    ) -> DeviceRow:
        row = self._store(session, request, key, DeviceState.ACCEPTED, leave, source)
        ensure_group(session, leave.group, row.joined_at)
        session.add(GroupRow(device=row.name, group=leave.group))
        session.flush()
        remember(session, row, request.facts)
        row.certificate = self._certificates.sign(session, row.name, request.csr).certificate
        words = f"joined the group {leave.group} {leave.why}"
        self._core.events.record(session, kind="device.joined", subject=row.name, message=words, actor=row.name)
        self._core.audit.record(session, "device.join", row.name, digest=f"sha256:{key.fingerprint}", why=words)
        return row

    def _store(
        self,
        session: Session,
        request: JoinRequest,
        key: RequestedKey,
        state: DeviceState,
        leave: _Leave,
        source: str,
    ) -> DeviceRow:
        if store.key_is_taken(session, key.fingerprint):
            raise LinesideError("join.key_in_use", fingerprint=key.fingerprint)
        now = rfc3339(self._core.clock.now())
        row = DeviceRow(
            name=request.name,
            state=state.value,
            twin=request.twin,
            key=key.public_key,
            fingerprint=key.fingerprint,
            certificate="",
            token=leave.token,
            facts={},
            joined_at=now,
            last_seen=now,
            sequence=-1,
            asked_from=source,
            state_at=now,
        )
        session.add(row)
        session.flush()
        return row

    def _answer(self, row: DeviceRow) -> JoinAnswer:
        state = DeviceState(row.state)
        if state is DeviceState.PENDING:
            return JoinAnswer(device=row.name, state=state, fingerprint=row.fingerprint, ca=self.ca_pem)
        return JoinAnswer(
            device=row.name,
            state=state,
            fingerprint=row.fingerprint,
            certificate=row.certificate,
            ca=self.ca_pem,
            tuf_root=self._core.repository().root(),
            mqtt_host=self._core.addresses.mqtt_host,
            mqtt_port=self._core.addresses.mqtt_port,
        )


def _waits(row: DeviceRow) -> bool:
    return row.state == DeviceState.PENDING.value
