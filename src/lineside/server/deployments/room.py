"""The deployments room as the app sees it."""

from __future__ import annotations

from lineside.server.deployments import api
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """Its service comes from the rollouts room, which launches what is deployed."""
    return Room(people=api.routes)
