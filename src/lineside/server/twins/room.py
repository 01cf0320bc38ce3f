"""The twins room as the app sees it."""

from __future__ import annotations

from lineside.server.components.service import Components
from lineside.server.datasets.service import DatasetsService
from lineside.server.deployments.service import Deployments
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.inquiries import Inquiries
from lineside.server.models.service import ModelsService
from lineside.server.rollouts.service import Rollouts
from lineside.server.runs.service import RunsService
from lineside.server.services import Core, Room
from lineside.server.twins import api, pages
from lineside.server.twins.service import TwinTests


def room(core: Core) -> Room:
    """Twin tests; the delivery loop brings them forward."""
    components = Components(core)
    models = ModelsService(core, RunsService(core, DatasetsService(core)))
    rollouts = Rollouts(core, DesiredDocuments(core), components)
    deployments = Deployments(core, components, models, rollouts)
    tests = TwinTests(core, models, components, deployments, Inquiries(core))
    return Room(services={"twin_tests": tests}, people=api.routes, pages=pages.routes)
