"""The components room as the app sees it."""

from __future__ import annotations

from lineside.server.components import api, approvals_api, device_api, pages
from lineside.server.components.approvals import Approvals
from lineside.server.components.downloads import Downloads
from lineside.server.components.own import OwnComponents
from lineside.server.components.service import Components
from lineside.server.datasets.service import DatasetsService
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.models.service import ModelsService
from lineside.server.runs.service import RunsService
from lineside.server.services import Core, Room
from lineside.server.trust.service import Proposals


def room(core: Core) -> Room:
    """Components for people, what devices download, and what is laid before people to be signed."""
    components = Components(core)
    models = ModelsService(core, RunsService(core, DatasetsService(core)))
    approvals = Approvals(core, components, models, Proposals(core, components.repository))
    downloads = Downloads(core, components, DesiredDocuments(core))
    return Room(  # not "components": Litestar takes an error in a body's field of a dependency's name for its own
        services={
            "component_versions": components,
            "own_components": OwnComponents(core, components, approvals),
            "approvals": approvals,
            "downloads": downloads,
        },
        people=[*api.routes, *approvals_api.routes],
        pages=pages.routes,
        devices=device_api.routes,
    )
