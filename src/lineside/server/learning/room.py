"""The loops that people applied, as the app sees them."""

from __future__ import annotations

from lineside.server.datasets.service import DatasetsService
from lineside.server.learning import api, pages
from lineside.server.learning.service import Loops
from lineside.server.runs.service import RunsService
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """What is trained again, and what starts it."""
    datasets = DatasetsService(core)
    loops = Loops(core, RunsService(core, datasets), datasets)
    return Room(services={"loops": loops}, people=api.routes, pages=[*pages.routes, *api.doors])
