"""The datasets room as the app sees it."""

from __future__ import annotations

from lineside.server.datasets import api, exports_api, pages, thumbnails
from lineside.server.datasets.service import DatasetsService
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """Dataset versions."""
    shown = [*pages.routes, *thumbnails.routes]
    return Room(services={"datasets": DatasetsService(core)}, people=[*api.routes, *exports_api.routes], pages=shown)
