"""The background loops as the app sees them."""

from __future__ import annotations

from lineside.server.components.service import Components
from lineside.server.datasets.service import DatasetsService
from lineside.server.deployments.service import Deployments
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.inquiries import Inquiries
from lineside.server.drift.field import FieldAccuracies
from lineside.server.drift.signals import FieldSignals
from lineside.server.learning.service import Loops
from lineside.server.loops.delivery import DeliveryLoop
from lineside.server.loops.lease import LeaseRow  # noqa: F401 its table belongs to the schema
from lineside.server.loops.rollouts import RolloutLoop
from lineside.server.loops.runs import RunsLoop
from lineside.server.loops.schedules import SchedulesLoop
from lineside.server.loops.timestamp import TimestampLoop
from lineside.server.models.service import ModelsService
from lineside.server.rollouts.service import Rollouts
from lineside.server.runs.service import RunsService
from lineside.server.runs.tidying import Tidying
from lineside.server.services import Core, Loop, Room
from lineside.server.telemetry.evidence import ResultEvidence
from lineside.server.twins.service import TwinTests


def room(core: Core) -> Room:
    """delivery and rollouts twice a second, so that a fleet never waits for them; timestamp once a minute, what
    runs leave behind every ten."""
    components = Components(core)
    datasets = DatasetsService(core)
    runs = RunsService(core, datasets)
    models = ModelsService(core, runs)
    rollouts = Rollouts(core, DesiredDocuments(core), components)
    rollouts.evidence = ResultEvidence(core)
    deployments = Deployments(core, components, models, rollouts)
    twin_tests = TwinTests(core, models, components, deployments, Inquiries(core))
    delivery = DeliveryLoop(core.database, models, twin_tests)
    learning = Loops(core, runs, datasets)
    learning.signals = FieldSignals(core, FieldAccuracies(core))
    loops = (
        Loop("rollouts", RolloutLoop(core.database, rollouts, share=0.05).step, seconds=0.5),
        Loop("delivery", delivery.step, seconds=0.5),
        Loop("schedules", SchedulesLoop(learning).step, seconds=5.0),
        Loop("runs", RunsLoop(Tidying(core, runs.leasing)).step, seconds=600.0),
        Loop("timestamp", TimestampLoop(core, components.repository).step, seconds=60.0),
    )
    return Room(loops=loops)
