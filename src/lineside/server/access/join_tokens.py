"""Join tokens: leave for a few devices to join, for a short time. Only a token's hash is stored."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy.orm import Session

from lineside.contract.counted import counted
from lineside.contract.device import JoinToken, JoinTokenInfo, JoinTokenRequest
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.contract.twin import TWINS
from lineside.server.access.store import JoinTokenRow, open_join_tokens, use_join_token
from lineside.server.clock import rfc3339
from lineside.server.services import Core

MAX_TTL = 90 * 24 * 3600
_ID = 12  # letters of a token's hash that name it


class JoinTokens:
    """Makes join tokens and uses them up."""

    def __init__(self, core: Core, ca_sha256: str) -> None:
        self._core = core
        self.ca_sha256 = ca_sha256

    def create(self, session: Session, request: JoinTokenRequest) -> JoinToken:
        """Make a token. Raises `request.invalid`. A twin's token always leads to the group `twins`."""
        group = TWINS if request.twin else request.group
        _check(request, group)
        token = "lsj_" + secrets.token_urlsafe(24)
        now = self._core.clock.now()
        row = JoinTokenRow(
            hash=hash_of(token),
            group=group,
            twin=request.twin,
            uses=request.uses,
            used=0,
            created_at=rfc3339(now),
            expires_at=rfc3339(now + timedelta(seconds=request.ttl_seconds)),
        )
        session.add(row)
        words = f"a join token for {counted(row.uses, 'device')} of the group {group} was made"
        self._core.events.record(session, kind="token.created", subject=group, message=words)
        why = f"{words}, until {row.expires_at}"
        self._core.audit.record(session, "token.create", f"join token {row.hash[:_ID]}", why=why)
        return JoinToken(
            token=token,
            group=group,
            uses=row.uses,
            expires_at=row.expires_at,
            twin=row.twin,
            url=self._core.addresses.device_url,
            ca_sha256=self.ca_sha256,
        )

    def open(self, session: Session) -> list[JoinTokenInfo]:
        """Tokens that still open the door, newest first."""
        now = rfc3339(self._core.clock.now())
        return [_info(row) for row in open_join_tokens(session, now)]

    def revoke(self, session: Session, id_: str) -> JoinTokenInfo:
        """Nobody joins with this token any more. Raises `request.not_found`."""
        now = rfc3339(self._core.clock.now())
        row = next((row for row in open_join_tokens(session, now) if row.hash[:_ID] == id_), None)
        if row is None:
            raise LinesideError("request.not_found", what="join token", name=id_[:80])
        row.expires_at = now
        words = f"a join token of group {row.group} was revoked after {row.used} of {row.uses} uses"
        self._core.events.record(session, kind="token.revoked", subject=row.group, message=words)
        self._core.audit.record(session, "token.revoke", f"join token {id_}", why=words)
        return _info(row)

    def find(self, session: Session, token: str) -> JoinTokenRow:
        """The token's row, used up or not. Raises `join.token_unknown`."""
        row = session.get(JoinTokenRow, hash_of(token))
        if row is None:
            raise LinesideError("join.token_unknown")
        return row

    def use(self, session: Session, row: JoinTokenRow, *, twin: bool) -> None:
        """Take one use. Raises `join.token_expired`, `join.token_used`, `join.twin_mismatch`."""
        if row.expires_at <= rfc3339(self._core.clock.now()):
            raise LinesideError("join.token_expired", expired=row.expires_at)
        if row.twin != twin:
            raise LinesideError("join.twin_mismatch", whom="twins" if row.twin else "ordinary devices")
        if not use_join_token(session, row.hash):
            raise LinesideError("join.token_used", uses=row.uses)


def _info(row: JoinTokenRow) -> JoinTokenInfo:
    return JoinTokenInfo(
        id=row.hash[:_ID],
        group=row.group,
        uses=row.uses,
        used=row.used,
        created_at=row.created_at,
        expires_at=row.expires_at,
        twin=row.twin,
    )


def hash_of(token: str) -> str:
    """How a token is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def check_group(group: str, *, twin: bool) -> None:
    """Raises `request.invalid` when a device cannot land in this group."""
    if not is_name(group):
        raise LinesideError("request.invalid", why=f"{group!r} is not a name of a group")
    if group == TWINS and not twin:
        raise LinesideError("request.invalid", why=f"only twins may be in the group {TWINS}")


def _check(request: JoinTokenRequest, group: str) -> None:
    check_group(group, twin=request.twin)
    if not 1 <= request.uses <= 100_000:
        raise LinesideError("request.invalid", why="uses must be 1 to 100000")
    if not 1 <= request.ttl_seconds <= MAX_TTL:
        raise LinesideError("request.invalid", why=f"ttl_seconds must be 1 to {MAX_TTL}")
