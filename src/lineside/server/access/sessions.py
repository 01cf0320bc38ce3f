"""Sessions: a browser that somebody signed in with shows a random id of 256 bits, of which only the hash is stored."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from lineside.server.access.join_tokens import hash_of
from lineside.server.access.people_store import SessionRow
from lineside.server.clock import Clock, parse_rfc3339, rfc3339
from lineside.server.settings import Settings

TOUCH_SECONDS = 60.0
"""How exactly it is known when a session or token was last used: a request is not worth a write."""


class Sessions:
    """Begins sessions, finds them and ends them."""

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self._clock = clock
        self._idle = settings.session_idle_seconds
        self._longest = settings.session_seconds

    @property
    def longest(self) -> int:
        """Seconds until somebody has to sign in again, whatever they do."""
        return self._longest

    def begin(self, session: Session, user: str, before: str | None = None) -> tuple[str, str]:
        """A new session's id and when it ends. The id that the browser showed before (`before`) is no session after
        that: a planted one is never taken over."""
        now = self._clock.now()
        session.execute(delete(SessionRow).where(SessionRow.expires_at <= rfc3339(now)))
        if before:
            self.end(session, before)
        text = secrets.token_urlsafe(32)
        expires = rfc3339(now + timedelta(seconds=self._longest))
        moment = rfc3339(now)
        session.add(SessionRow(hash=hash_of(text), user=user, created_at=moment, seen_at=moment, expires_at=expires))
        return text, expires

    def find(self, session: Session, text: str) -> SessionRow | None:
        """The session with this id, if it has neither ended nor been idle for too long."""
        row = session.get(SessionRow, hash_of(text))
        now = self._clock.now()
        if row is None or row.expires_at <= rfc3339(now):
            return None
        idle = (now - parse_rfc3339(row.seen_at)).total_seconds()
        return row if idle < self._idle else None

    def end(self, session: Session, text: str) -> None:
        """Sign this browser out."""
        session.execute(delete(SessionRow).where(SessionRow.hash == hash_of(text)))

    def touch(self, session: Session, text: str) -> None:
        """It was just used."""
        row = session.get(SessionRow, hash_of(text))
        if row is not None:
            row.seen_at = rfc3339(self._clock.now())


def is_stale(used_at: str | None, now: datetime) -> bool:
    """Whether it is time to write down that it was used again."""
    return used_at is None or (now - parse_rfc3339(used_at)).total_seconds() >= TOUCH_SECONDS
