"""The loops that people applied, as the app sees them."""

from __future__ import annotations

from lineside.server.learning import store  # noqa: F401 its tables belong to the schema
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """Nothing yet but its tables."""
    return Room()
