"""The deliveries room as the app sees it."""

from __future__ import annotations

from lineside.server.components.service import Components
from lineside.server.datasets.service import DatasetsService
from lineside.server.deliveries import api, hooks_api, pages
from lineside.server.deliveries.hooks import Hooks
from lineside.server.deliveries.loop import DeliveriesLoop
from lineside.server.deliveries.rules import Rules
from lineside.server.deliveries.service import Deliveries
from lineside.server.deployments.service import Deployments
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.models.service import ModelsService
from lineside.server.rollouts.service import Rollouts
from lineside.server.runs.service import RunsService
from lineside.server.services import Core, Loop, Room


def room(core: Core) -> Room:
    """Deliveries, the rules and doors that start them; once a second each goes as far as it may."""
    components = Components(core)
    models = ModelsService(core, RunsService(core, DatasetsService(core)))
    rollouts = Rollouts(core, DesiredDocuments(core), components)
    deployments = Deployments(core, components, models, rollouts)
    deliveries = Deliveries(core, models, components, deployments, rollouts)
    return Room(
        services={"deliveries": deliveries, "rules": Rules(core, deliveries), "hooks": Hooks(core, deliveries)},
        people=api.routes,
        pages=[*pages.routes, *hooks_api.routes],
        loops=(Loop("deliveries", DeliveriesLoop(core, deliveries).step, seconds=1.0),),
    )
