"""The captures room as the app sees it."""

from __future__ import annotations

from lineside.server.captures import api, collections_api, device_api, exports_api, pages
from lineside.server.captures.collections import Collections
from lineside.server.captures.exports import ExportsService
from lineside.server.captures.scheduled import ScheduledCollections
from lineside.server.captures.service import CapturesService
from lineside.server.services import Core, Loop, Room


def room(core: Core) -> Room:
    """Captures and exports with their upload tickets; collections of captures, which end and begin by the clock."""
    collections = Collections(core)
    captures, scheduled = CapturesService(core, collections), ScheduledCollections(core, collections)

    def step() -> None:
        collections.step()
        scheduled.step()

    return Room(
        services={
            "captures": captures,
            "exports": ExportsService(core),
            "collections": collections,
            "scheduled_collections": scheduled,
        },
        people=[*api.routes, *exports_api.people, *collections_api.people],
        pages=pages.routes,
        devices=[*device_api.routes, *exports_api.devices, *collections_api.devices],
        loops=[
            Loop("collections", step, seconds=5.0),
            Loop("uploads", captures.tidy, seconds=3600.0, everywhere=True),
        ],
    )
