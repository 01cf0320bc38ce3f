"""The first page."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency

from lineside.server.access.events import Events
from lineside.server.database import Database
from lineside.server.devices.service import Devices
from lineside.server.overview.service import OverviewService
from lineside.server.web.render import AnyRequest, Page, page

_LAST_EVENTS = 12
_SQUARES = 500  # of more devices only the counts are shown
_TONES = {
    "healthy": "good",
    "fetching": "busy",
    "installing": "busy",
    "starting": "busy",
    "waiting": "busy",
    "offline": "warn",
    "rolled back": "warn",
    "different": "bad",
    "failed": "bad",
    "refused": "bad",
    "revoked": "bad",
}


@get("/", sync_to_thread=True, include_in_schema=False)
def overview_page(
    request: AnyRequest,
    overview: NamedDependency[OverviewService],
    devices: NamedDependency[Devices],
    database: NamedDependency[Database],
    events: NamedDependency[Events],
) -> Page:
    """The loop, what needs a person, the fleet as squares, and what happened last."""
    fleet = devices.counts()
    with database.read() as session:
        happened = events.page(session, before=None, kind=None, limit=_LAST_EVENTS).events
    return page(
        request,
        "overview/page.html",
        here="/",
        live=True,
        overview=overview.look(fleet),
        squares=devices.squares(_SQUARES),
        counts=fleet.all,
        twins=bool(fleet.twins),
        events=happened,
        tones=_TONES,
    )


routes = [overview_page]
