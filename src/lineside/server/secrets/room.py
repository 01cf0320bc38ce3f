"""The secrets room as the app sees it."""

from __future__ import annotations

from lineside.server.secrets import api, device_api, pages
from lineside.server.secrets.service import ComponentSecrets
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """Secrets of components."""
    return Room(
        services={"component_secrets": ComponentSecrets(core)},
        people=api.routes,
        pages=pages.routes,
        devices=device_api.routes,
    )
