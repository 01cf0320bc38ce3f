"""How devices prove who they are: assertions become access tokens, and access tokens become names.

Assertions that arrive while a transaction is under way share the next one: a fleet that is switched on asks for ten
thousand tokens at once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from lineside.contract.device import AccessToken, DeviceState
from lineside.contract.errors import LinesideError
from lineside.server.access.caller import Caller, acting
from lineside.server.access.doorstep import Doorstep
from lineside.server.access.store import used_assertions
from lineside.server.access.tokens import AccessTokens, Claims, Proof
from lineside.server.database.together import Together
from lineside.server.devices.certificates import Certificates
from lineside.server.devices.instances import Count, Verdict, judge
from lineside.server.devices.standing import Standing
from lineside.server.devices.store import DeviceRow
from lineside.server.services import Core

_log = structlog.get_logger("lineside.devices")


@dataclass(frozen=True, slots=True)
class _Asked:
    """An assertion, and the address it came from."""

    assertion: str
    source: str


class Proving:
    """Who a device is."""

    def __init__(self, core: Core, tokens: AccessTokens, certificates: Certificates, standing: Standing) -> None:
        self._core = core
        self._tokens = tokens
        self._certificates = certificates
        self._standing = standing
        self._told = Doorstep(core.clock)
        self._together = Together[_Asked, AccessToken]("tokens", self._take)

    async def token(self, assertion: str, source: str) -> AccessToken:
        """An access token for a client assertion. Raises `auth.*`; each refusal is an event too.

        A device whose count shows that there are two of it is quarantined, and gets a token that lets it report.
        """
        return await self._together(_Asked(assertion, source))

    def authenticate(self, access_token: str, *, quarantined: bool = False) -> str:
        """The accepted device an access token belongs to; with `quarantined` it may be that too. Raises `auth.*`."""
        device = self._tokens.device_of(access_token)
        with self._core.database.read() as session:
            state = _may_prove(session.scalar(select(DeviceRow.state).where(DeviceRow.name == device)), device)
            if state is DeviceState.QUARANTINED and not quarantined:
                raise LinesideError("auth.device_quarantined", device=device)
        return device

    # --- one turn of many assertions ------------------------------------------------------------------------------

    def _take(self, asked: Sequence[_Asked]) -> Sequence[AccessToken | Exception]:
        turn = _Turn()
        with self._core.database.write() as session:
            claims = [self._claims(one) for one in asked]
            names = {one.sub for one in claims if not isinstance(one, LinesideError) and one.sub.isprintable()}
            turn.rows, turn.used = _rows(session, names), used_assertions(session, names)
            found = [self._answer(session, turn, *one) for one in zip(asked, claims, strict=True)]
            self._tokens.remember(session, turn.proofs)
        for device, serial in turn.superseded:
            self._core.hints.drop(device, serial)
        for one, answer in zip(asked, found, strict=True):
            if isinstance(answer, LinesideError):
                self._tell(one.source, answer)
        return found

    def _claims(self, asked: _Asked) -> Claims | LinesideError:
        try:
            return self._tokens.read(asked.assertion)
        except LinesideError as error:
            return error

    def _answer(
        self, session: Session, turn: _Turn, asked: _Asked, claims: Claims | LinesideError
    ) -> AccessToken | LinesideError:
        """Nothing is changed before everything about an assertion is found good, so that a bad one undoes no other."""
        if isinstance(claims, LinesideError):
            return claims
        try:
            row = turn.rows.get(claims.sub)
            _may_prove(row.state if row else None, claims.sub)
            assert row is not None
            proof = self._tokens.prove(asked.assertion, claims, [row.key, row.next_key] if row.next_key else [row.key])
            if (proof.device, proof.jti) in turn.used:
                raise LinesideError("auth.assertion_replayed", device=proof.device)
            verdict = _counted(row, proof)
        except LinesideError as error:
            return error
        turn.used.add((proof.device, proof.jti))
        turn.proofs.append(proof)
        with acting(Caller(name=proof.device, by="device", source=asked.source)):
            self._count(session, row, proof, verdict)
            if proof.key == row.next_key:
                turn.superseded += [(row.name, serial) for serial in self._certificates.promote(session, row)]
        return self._tokens.issue(row.name, DeviceState(row.state))

    def _count(self, session: Session, row: DeviceRow, proof: Proof, verdict: Verdict) -> None:
        if verdict is Verdict.NEWER:
            row.counted = _said(proof)
        elif verdict is Verdict.CLONED and row.state == DeviceState.ACCEPTED.value:
            assert row.counted is not None
            why = f"it counts {proof.count}, after {row.counted.count} was heard"
            self._standing.cloned(session, row, why)

    def _tell(self, source: str, error: LinesideError) -> None:
        if not self._told.passes(source):  # else a stranger could fill the disk with refusals
            return
        subject = str(error.params.get("device", "?"))
        subject = subject if subject.isprintable() else "?"
        try:
            with self._core.database.write() as session:
                self._core.events.record(
                    session, kind="token.refused", subject=subject, message=error.message, error=error.report()
                )
        except Exception:  # noqa: BLE001 the others' tokens have been committed by now
            _log.exception("refused token not written down")


@dataclass(slots=True)
class _Turn:
    """What the assertions of one transaction share."""

    rows: dict[str, DeviceRow] = field(default_factory=dict)
    used: set[tuple[str, str]] = field(default_factory=set)  # device, jti
    proofs: list[Proof] = field(default_factory=list)
    superseded: list[tuple[str, str]] = field(default_factory=list)  # device, serial of a certificate


def _rows(session: Session, names: Collection[str]) -> dict[str, DeviceRow]:
    query = select(DeviceRow).where(DeviceRow.name.in_(names)).options(defer(DeviceRow.report), defer(DeviceRow.facts))
    return {row.name: row for row in session.scalars(query)}


def _counted(row: DeviceRow, proof: Proof) -> Verdict:
    """What the assertion's count means. Raises `auth.assertion_uncounted`, `auth.assertion_late`."""
    said = _said(proof)
    if said is None:
        if row.counted is not None:
            raise LinesideError("auth.assertion_uncounted", device=row.name)
        return Verdict.SAME
    verdict = judge(row.counted, said)
    if verdict is Verdict.LATE:
        raise LinesideError("auth.assertion_late", device=row.name)
    return verdict


def _said(proof: Proof) -> Count | None:
    if proof.count is None or proof.nonce is None:
        return None
    return Count(count=proof.count, nonce=proof.nonce, earlier=proof.earlier)


def _may_prove(state: str | None, device: str) -> DeviceState:
    """The state of a device that may prove who it is. Raises `auth.*`."""
    if state is None:
        raise LinesideError("auth.assertion_invalid", why="no such device has joined", device=device[:63])
    if state == DeviceState.REVOKED.value:
        raise LinesideError("auth.device_revoked", device=device)
    if state == DeviceState.PENDING.value:
        raise LinesideError("auth.device_pending", device=device)
    return DeviceState(state)
