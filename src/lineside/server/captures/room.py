"""The captures room as the app sees it."""

from __future__ import annotations

from lineside.server.captures import api, collections_store, device_api, exports_api, pages  # noqa: F401 its tables
from lineside.server.captures.exports import ExportsService
from lineside.server.captures.service import CapturesService
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """Captures and exports with their upload tickets."""
    return Room(
        services={"captures": CapturesService(core), "exports": ExportsService(core)},
        people=[*api.routes, *exports_api.people],
        pages=pages.routes,
        devices=[*device_api.routes, *exports_api.devices],
    )
