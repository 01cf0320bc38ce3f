"""People's API of the access room."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from lineside.contract.event import EventPage
from lineside.server.access.events import Events
from lineside.server.database import Database


@get("/events", sync_to_thread=True, summary="What happened, newest first")
def list_events(
    events: NamedDependency[Events],
    database: NamedDependency[Database],
    before: FromQuery[int | None] = None,
    kind: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> EventPage:
    """Events older than id `before`; `kind` is a whole kind or its noun."""
    with database.read() as session:
        return events.page(session, before=before, kind=kind, limit=limit)


routes = [list_events]
