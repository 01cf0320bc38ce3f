"""One-time links: a way in without a password, to choose one. Only the link's hash is stored."""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from lineside.contract.errors import LinesideError
from lineside.contract.people import OneTimeLink
from lineside.server.access.join_tokens import hash_of
from lineside.server.access.people_store import LinkRow
from lineside.server.clock import rfc3339
from lineside.server.services import Core


class Links:
    """Makes links and uses them up."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def make(self, session: Session, user: str) -> OneTimeLink:
        """A new link for somebody; an older one is good no more."""
        text = secrets.token_urlsafe(32)
        now = self._core.clock.now()
        expires = rfc3339(now + timedelta(seconds=self._core.settings.link_seconds))
        session.execute(delete(LinkRow).where(LinkRow.user == user))
        session.add(LinkRow(user=user, hash=hash_of(text), expires_at=expires))
        url = f"{self._core.addresses.people_url}/welcome?token={text}"
        return OneTimeLink(user=user, url=url, expires_at=expires)

    def whose(self, session: Session, text: str) -> str:
        """For whom it was made; it is not used up by that. Raises `login.link_unknown`."""
        row = session.scalars(select(LinkRow).where(LinkRow.hash == hash_of(text))).first()
        if row is None or row.expires_at <= rfc3339(self._core.clock.now()):
            raise LinesideError("login.link_unknown")
        return row.user

    def use(self, session: Session, text: str) -> str:
        """Use it up. Raises `login.link_unknown`. One statement decides: two at once cannot both use it."""
        user = self.whose(session, text)
        gone = session.connection().execute(delete(LinkRow).where(LinkRow.hash == hash_of(text))).rowcount
        if gone != 1:
            raise LinesideError("login.link_unknown")
        return user
