"""The groups room as the app sees it."""

from __future__ import annotations

from lineside.server.groups import api, pages
from lineside.server.groups.service import Groups
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """Groups of devices, by hand or by selectors; labels."""
    return Room(services={"groups": Groups(core)}, people=api.routes, pages=pages.routes)
