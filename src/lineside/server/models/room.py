"""The models room as the app sees it."""

from __future__ import annotations

from lineside.server.datasets.service import DatasetsService
from lineside.server.models import api, pages
from lineside.server.models.service import ModelsService
from lineside.server.runs.service import RunsService
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """Model versions. Whoever signs for the fleet adds itself to `ModelsService.signers`."""
    runs = RunsService(core, DatasetsService(core))
    return Room(services={"models": ModelsService(core, runs)}, people=api.routes, pages=pages.routes)
