"""Events: what happened, refusals among them, as the dashboard and `lineside events list` show it."""

from __future__ import annotations

import msgspec

from lineside.contract.errors import ErrorReport


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event. `kind` is `noun.verb` (`device.joined`, `model.approved`); `subject` is what it is about."""

    id: int
    at: str
    kind: str
    subject: str
    message: str
    actor: str = ""
    error: ErrorReport | None = None


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events, newest first."""

    events: tuple[Event, ...]
    total: int
