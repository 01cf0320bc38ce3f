"""What people decide about devices: accept, quarantine, revoke, and which keys may join without a token."""

from __future__ import annotations

import re

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lineside.contract.device import DEVICE_MOVES, AcceptRequest, DeviceState, Preauthorisation, PreauthorisedPage
from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.ids import is_name, plain_fingerprint
from lineside.contract.moves import check_move
from lineside.server.access.join_tokens import check_group
from lineside.server.clock import rfc3339
from lineside.server.devices import store
from lineside.server.devices.certificates import Certificates
from lineside.server.devices.membership import ensure_group
from lineside.server.devices.store import DeviceRow, GroupRow, PreauthorisedRow
from lineside.server.services import Core


class Standing:
    """Each decision is an event and a line of the audit trail."""

    def __init__(self, core: Core, certificates: Certificates) -> None:
        self._core = core
        self._certificates = certificates

    def accept(self, name: str, request: AcceptRequest) -> None:
        """A pending or quarantined device takes part. Raises `device.fingerprint_mismatch`, `state.illegal_move`.

        An accepted one with this key is left as it is. After a quarantine its count begins anew.
        """
        given = plain_fingerprint(request.fingerprint)
        with self._core.database.write() as session:
            row = _found(session, name)
            if given != row.fingerprint:
                raise LinesideError("device.fingerprint_mismatch", device=name, actual=row.fingerprint, given=given)
            if row.state == DeviceState.ACCEPTED.value:
                return
            was = DeviceState(row.state)
            self._move(row, DeviceState.ACCEPTED, "")
            row.counted = None
            if was is DeviceState.PENDING:
                check_group(request.group, twin=False)
                ensure_group(session, request.group, rfc3339(self._core.clock.now()))
                session.add(GroupRow(device=name, group=request.group))
                words = f"was accepted into the group {request.group}"
                row.joined_at = rfc3339(self._core.clock.now())
            else:
                words = "was accepted again"
            self._say(session, row, "accept", "accepted", words)

    def quarantine(self, name: str, why: str) -> None:
        """It may report, and install nothing. Raises `state.illegal_move`."""
        why = _fitting(why)
        with self._core.database.write() as session:
            row = _found(session, name)
            if row.state != DeviceState.QUARANTINED.value:
                self._move(row, DeviceState.QUARANTINED, why)
                self._say(session, row, "quarantine", "quarantined", "was quarantined", why)

    def cloned(self, session: Session, row: DeviceRow, why: str) -> None:
        """Two agents use its identity: in the caller's transaction, both are quarantined."""
        error = LinesideError("auth.cloned", device=row.name, why=why)
        self._move(row, DeviceState.QUARANTINED, error.message)
        self._say(session, row, "clone", "cloned", error.message, why, error.report())

    def revoke(self, name: str, why: str = "") -> None:
        """It may do nothing any more. A pending one is forgotten: it has no history, and may ask again."""
        why = _fitting(why)
        with self._core.database.write() as session:
            row = _found(session, name)
            if row.state == DeviceState.REVOKED.value:
                return
            pending = row.state == DeviceState.PENDING.value
            self._move(row, DeviceState.REVOKED, why)
            row.revoked_at = row.state_at
            self._certificates.withdraw(session, name)
            self._say(session, row, "revoke", "revoked", "was turned away" if pending else "was revoked", why)
            if pending:
                session.delete(row)
        self._core.hints.drop(name)

    def _move(self, row: DeviceRow, wanted: DeviceState, why: str) -> None:
        row.state = check_move(f"device {row.name}", DEVICE_MOVES, DeviceState(row.state), wanted).value
        row.state_at, row.state_why = rfc3339(self._core.clock.now()), why

    def _say(
        self,
        session: Session,
        row: DeviceRow,
        verb: str,
        done: str,
        words: str,
        why: str = "",
        error: ErrorReport | None = None,
    ) -> None:
        message = f"{words}: {why}" if why and error is None else words
        self._core.events.record(session, kind=f"device.{done}", subject=row.name, message=message, error=error)
        self._core.audit.record(
            session, f"device.{verb}", row.name, digest=f"sha256:{row.fingerprint}", why=why or words
        )

    # --- keys that may join without a token -----------------------------------------------------------------------

    def preauthorise(self, request: Preauthorisation) -> Preauthorisation:
        """Let a key join once, under a name. Raises `request.invalid`, `join.key_in_use`, `join.name_taken`."""
        fingerprint = plain_fingerprint(request.fingerprint)
        if re.fullmatch("[0-9a-f]{64}", fingerprint) is None:
            raise LinesideError("request.invalid", why="a fingerprint is 64 hex digits, the SHA-256 of a public key")
        if not is_name(request.name):
            raise LinesideError("join.bad_name", name=request.name[:80])
        check_group(request.group, twin=False)
        with self._core.database.write() as session:
            device = session.get(DeviceRow, request.name)
            waiting = device is not None and device.state == DeviceState.PENDING.value
            its_own = waiting and device is not None and device.fingerprint == fingerprint
            if store.key_is_taken(session, fingerprint) and not its_own:
                raise LinesideError("join.key_in_use", fingerprint=fingerprint)
            if device is not None and not waiting:
                raise LinesideError("join.name_taken", name=request.name)
            row = session.get(PreauthorisedRow, fingerprint)
            if row is None:
                row = PreauthorisedRow(fingerprint=fingerprint)
                session.add(row)
            row.name, row.group = request.name, request.group
            row.created_at = rfc3339(self._core.clock.now())
            why = f"may join as {row.name} the group {row.group}"
            self._core.audit.record(session, "device.preauthorise", row.name, digest=f"sha256:{fingerprint}", why=why)
            return _shown(row)

    def preauthorised(self, offset: int = 0, limit: int = 100) -> PreauthorisedPage:
        """Keys that may join without a token, by the name they may join under."""
        query = select(PreauthorisedRow).order_by(PreauthorisedRow.name, PreauthorisedRow.fingerprint)
        with self._core.database.read() as session:
            total = session.scalar(select(func.count()).select_from(PreauthorisedRow)) or 0
            keys = tuple(_shown(row) for row in session.scalars(query.offset(offset).limit(limit)))
        return PreauthorisedPage(keys=keys, offset=offset, total=total)

    def withdraw(self, fingerprint: str) -> Preauthorisation:
        """This key may not join any more. Raises `request.not_found`."""
        with self._core.database.write() as session:
            row = session.get(PreauthorisedRow, plain_fingerprint(fingerprint))
            if row is None:
                raise LinesideError("request.not_found", what="preauthorised key", name=fingerprint[:80])
            session.delete(row)
            self._core.audit.record(
                session, "device.preauthorise", row.name, digest=f"sha256:{row.fingerprint}", why="withdrawn"
            )
            return _shown(row)


def _fitting(why: str) -> str:
    """A reason as it is kept: PostgreSQL takes no NUL, and nobody reads more."""
    return why.replace("\0", "\N{REPLACEMENT CHARACTER}")[:500]


def _shown(row: PreauthorisedRow) -> Preauthorisation:
    return Preauthorisation(fingerprint=row.fingerprint, name=row.name, group=row.group, created_at=row.created_at)


def _found(session: Session, name: str) -> DeviceRow:
    row = session.get(DeviceRow, name)
    if row is None:
        raise LinesideError("request.not_found", what="device", name=name)
    return row
