"""API tokens of people (`lsu_…`): what a program shows in place of a session. Only a token's hash is stored.

A token may do what it was made for and its owner still may. What was made with a token can do no more than that token,
and lives no longer.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from lineside.contract.errors import LinesideError
from lineside.contract.people import ApiToken, MadeToken, NewToken, Permission, within_a_token
from lineside.server.access.caller import Caller, current
from lineside.server.access.join_tokens import hash_of
from lineside.server.access.people_store import ApiTokenRow, UserRow, forget_tokens, tokens_of, user_named
from lineside.server.clock import rfc3339
from lineside.server.services import Core

PREFIX = "lsu_"
_FORGOTTEN = timedelta(days=30)
"""After its end a token is listed for so long, for whoever wonders why a program stopped."""
_LONGEST_NAME = 64


class ApiTokens:
    """Makes API tokens, finds them and revokes them."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def find(self, session: Session, text: str) -> ApiTokenRow | None:
        """The token with this text, if it has not expired."""
        if not text.startswith(PREFIX):
            return None
        row = session.scalars(select(ApiTokenRow).where(ApiTokenRow.hash == hash_of(text))).first()
        return row if row is not None and row.expires_at > rfc3339(self._core.clock.now()) else None

    def list(self, caller: Caller) -> Sequence[ApiToken]:
        """The caller's tokens; an admin's list has everybody's."""
        everybody = caller.may(Permission.ADMINISTER)
        with self._core.database.read() as session:
            return [row.value() for row in tokens_of(session, None if everybody else caller.name)]

    def create(self, caller: Caller, request: NewToken, shown: str | None) -> MadeToken:
        """Make one; `shown` is the token that the caller asks with. Raises `token.bad`, `user.unknown`,
        `user.disabled`, `auth.forbidden`."""
        owner = request.user or (caller.name if caller.by in ("session", "token") else "")
        if not owner:
            raise LinesideError("token.bad", why="it is not said for whom; add --user NAME")
        if owner != caller.name or caller.by not in ("session", "token"):
            caller.check(Permission.ADMINISTER)
        with self._core.database.write() as session:
            row = user_named(session, owner)
            if row is None:
                raise LinesideError("user.unknown", name=owner)
            asked_with = self.find(session, shown) if shown and caller.by == "token" else None
            return self.make(session, row, request, asked_with)

    def make(
        self, session: Session, user: UserRow, request: NewToken, asked_with: ApiTokenRow | None = None
    ) -> MadeToken:
        """Make one for somebody. Raises `token.bad`, `user.disabled`."""
        if not user.enabled:
            raise LinesideError("user.disabled", name=user.name)
        self._check(user, request, asked_with)
        now = self._core.clock.now()
        forget_tokens(session, rfc3339(now - _FORGOTTEN))
        expires = rfc3339(now + timedelta(seconds=request.ttl_seconds))
        text = PREFIX + secrets.token_urlsafe(32)
        row = ApiTokenRow(
            id=secrets.token_hex(6),
            hash=hash_of(text),
            name=request.name,
            user=user.name,
            permissions=tuple(sorted(set(request.permissions), key=list(Permission).index)),
            created_at=rfc3339(now),
            expires_at=min(expires, asked_with.expires_at) if asked_with else expires,
        )
        session.add(row)
        can = ", ".join(each.value for each in row.permissions)
        self._core.audit.record(session, "token.create", user.name, why=f"{row.name}, id {row.id}, may {can}")
        self._say(session, "token.created", row, f"the API token {row.name} of {user.name} was made; it may {can}")
        return MadeToken(token=text, about=row.value())

    def revoke(self, caller: Caller, id: str) -> ApiToken:
        """Take one back. Raises `token.unknown`, also for one of somebody else unless the caller is an admin."""
        with self._core.database.write() as session:
            row = session.get(ApiTokenRow, id) if id.isalnum() else None
            if row is None or (row.user != caller.name and not caller.may(Permission.ADMINISTER)):
                raise LinesideError("token.unknown", id=id)
            self.remove(session, row)
            return row.value()

    def remove(self, session: Session, row: ApiTokenRow) -> None:
        """Take one back."""
        session.delete(row)
        self._core.audit.record(session, "token.revoke", row.user, why=f"{row.name}, id {row.id}")
        self._say(session, "token.revoked", row, f"the API token {row.name} of {row.user} was revoked")

    def _say(self, session: Session, kind: str, row: ApiTokenRow, words: str) -> None:
        self._core.events.record(session, kind=kind, subject=row.user, message=words, actor=current().name)

    def _check(self, user: UserRow, request: NewToken, asked_with: ApiTokenRow | None) -> None:
        longest = self._core.settings.token_seconds
        wanted = set(request.permissions)
        allowed = within_a_token(user.roles)
        if asked_with is not None:
            allowed &= set(asked_with.permissions)
        if not 1 <= len(request.name.strip()) <= _LONGEST_NAME or not request.name.isprintable():
            raise LinesideError("token.bad", why=f"its name must have 1 to {_LONGEST_NAME} printable characters")
        if not wanted:
            raise LinesideError("token.bad", why="it could do nothing")
        if excess := sorted(each.value for each in wanted - allowed):
            raise LinesideError("token.bad", why=f"its owner, or whoever asks, may not {', '.join(excess)}")
        if not 1 <= request.ttl_seconds <= longest:
            raise LinesideError("token.bad", why=f"it must expire within 1 to {longest} s")
