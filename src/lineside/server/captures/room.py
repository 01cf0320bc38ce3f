"""The captures room as the app sees it."""

from __future__ import annotations

from lineside.server.captures import api, device_api, pages
from lineside.server.captures.service import CapturesService
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """Captures and their upload tickets."""
    return Room(
        services={"captures": CapturesService(core)}, people=api.routes, pages=pages.routes, devices=device_api.routes
    )
