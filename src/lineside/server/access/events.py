"""Events: every room records here what happened, refusals among them, in the transaction that made it happen."""

from __future__ import annotations

from sqlalchemy.orm import Session

from lineside.contract.errors import ErrorReport
from lineside.contract.event import Event, EventPage
from lineside.server.access.caller import SYSTEM, current
from lineside.server.access.store import EventRow, events_about, events_before
from lineside.server.clock import Clock, rfc3339


class Events:
    """The events table."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def record(
        self,
        session: Session,
        *,
        kind: str,
        subject: str,
        message: str,
        actor: str = "",
        error: ErrorReport | None = None,
    ) -> None:
        """Add an event; it is stored when the session's transaction commits. `kind` is `noun.verb`; `actor` is whoever
        asks now, if a request is under way."""
        actor = actor or ("" if current() is SYSTEM else current().name)
        at, subject, message = rfc3339(self._clock.now()), _kept(subject), _kept(message)
        session.add(EventRow(at=at, kind=kind, subject=subject, message=message, actor=actor, error=error))

    def page(self, session: Session, *, before: int | None, kind: str | None, limit: int) -> EventPage:
        """Events older than id `before` (all when None), newest first, at most `limit`."""
        rows, total = events_before(session, before, kind, limit)
        return EventPage(events=tuple(row.value() for row in rows), total=total)

    def about(self, session: Session, *, subject: str, limit: int) -> tuple[Event, ...]:
        """The newest events about one subject, newest first."""
        return tuple(row.value() for row in events_about(session, subject, limit))


def _kept(words: str) -> str:
    """Words as they are stored, a device's own among them: PostgreSQL takes no NUL in a text."""
    return words.replace("\0", "\N{REPLACEMENT CHARACTER}")
