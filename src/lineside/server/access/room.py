"""The access room as the app sees it."""

from __future__ import annotations

from lineside.server.access import api, pages
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """Events; the app itself offers `database` and `events` to every handler."""
    return Room(people=api.routes, pages=pages.routes)
