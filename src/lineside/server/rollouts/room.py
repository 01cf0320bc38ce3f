"""The rollouts room as the app sees it."""

from __future__ import annotations

from lineside.server.components.service import Components
from lineside.server.datasets.service import DatasetsService
from lineside.server.deployments.service import Deployments
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.models.service import ModelsService
from lineside.server.rollouts import api, pages, preview_api
from lineside.server.rollouts.assignments import Assignments
from lineside.server.rollouts.bundles import Bundles
from lineside.server.rollouts.preview import Previews
from lineside.server.rollouts.service import Rollouts
from lineside.server.runs.service import RunsService
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """Rollouts, and the deployments they bring to devices."""
    components = Components(core)
    rollouts = Rollouts(core, DesiredDocuments(core), components)
    models = ModelsService(core, RunsService(core, DatasetsService(core)))
    deployments = Deployments(core, components, models, rollouts)
    services = {
        "rollouts": rollouts,
        "deployments": deployments,
        "bundles": Bundles(core, components),
        "previews": Previews(deployments, Assignments(core, components)),
    }
    return Room(services=services, people=[*api.routes, *preview_api.routes], pages=pages.routes)
