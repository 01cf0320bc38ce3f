"""The runs room as the app sees it."""

from __future__ import annotations

from lineside.server.datasets.service import DatasetsService
from lineside.server.runs import api, pages
from lineside.server.runs.service import RunsService
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """Runs of the pipeline and the cache of their steps."""
    return Room(services={"runs": RunsService(core, DatasetsService(core))}, people=api.routes, pages=pages.routes)
