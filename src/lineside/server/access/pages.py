"""Pages of the access room: what happened."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from lineside.server.access.events import Events
from lineside.server.database import Database
from lineside.server.web.render import AnyRequest, Page, page

_A_PAGE = 100


@get("/events", sync_to_thread=True, include_in_schema=False)
def events_page(
    request: AnyRequest,
    events: NamedDependency[Events],
    database: NamedDependency[Database],
    before: FromQuery[int | None] = None,
    kind: FromQuery[str | None] = None,
) -> Page:
    """Events, newest first."""
    with database.read() as session:
        found = events.page(session, before=before, kind=kind, limit=_A_PAGE)
    return page(request, "events/list.html", here="/events", live=before is None, page=found)


routes = [events_page]
