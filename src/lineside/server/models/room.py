"""The models room as the app sees it."""

from __future__ import annotations

from lineside.server.datasets.service import DatasetsService
from lineside.server.models import api, pages, registry_api, registry_pages
from lineside.server.models.aliases import Aliases
from lineside.server.models.cards import Cards
from lineside.server.models.comparing import Comparing
from lineside.server.models.service import ModelsService
from lineside.server.runs.service import RunsService
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """Model versions. Whoever signs for the fleet adds itself to `ModelsService.signers`."""
    datasets = DatasetsService(core)
    runs = RunsService(core, datasets)
    models = ModelsService(core, runs)
    aliases = Aliases(core, models)
    return Room(
        services={
            "models": models,
            "aliases": aliases,
            "cards": Cards(core, models, datasets),
            "comparing": Comparing(core, aliases, runs),
        },
        people=[*api.routes, *registry_api.routes],
        pages=[*pages.routes, *registry_pages.routes],
    )
