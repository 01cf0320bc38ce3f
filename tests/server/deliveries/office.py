"""A control plane's rooms around deliveries, with models in the states a test gives them and devices that answer."""

from __future__ import annotations

from lineside.contract.component import Component
from lineside.contract.delivery import Delivery, DeliveryRequest
from lineside.contract.model import ModelState
from lineside.contract.reported import Phase
from lineside.server.clock import rfc3339
from lineside.server.components.service import Components
from lineside.server.components.testing import model_version, release
from lineside.server.datasets.service import DatasetsService
from lineside.server.deliveries.hooks import Hooks
from lineside.server.deliveries.loop import DeliveriesLoop
from lineside.server.deliveries.rules import Rules
from lineside.server.deliveries.service import Deliveries
from lineside.server.deployments.service import Deployments
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.loops.rollouts import RolloutLoop
from lineside.server.models.service import ModelsService
from lineside.server.models.store import ModelRow
from lineside.server.rollouts.service import Rollouts
from lineside.server.rollouts.testing import Fleet
from lineside.server.runs.service import RunsService
from lineside.server.services import Core


class Office:
    """Where deliveries are started and watched."""

    def __init__(self, core: Core) -> None:
        self.core, self.fleet = core, Fleet(core)
        self.components = Components(core)
        self.models = ModelsService(core, RunsService(core, DatasetsService(core)))
        self.rollouts = Rollouts(core, DesiredDocuments(core), self.components)
        self.deployments = Deployments(core, self.components, self.models, self.rollouts)
        self.deliveries = Deliveries(core, self.models, self.components, self.deployments, self.rollouts)
        self.rules, self.hooks = Rules(core, self.deliveries), Hooks(core, self.deliveries)
        self.loop = DeliveriesLoop(core, self.deliveries)
        self.rollout_loop = RolloutLoop(core.database, self.rollouts)

    def register(self, version: int, name: str = "tags") -> None:
        """A candidate, as a run leaves it."""
        made = model_version(self.core.objects, version, name=name)
        with self.core.database.write() as session:
            row = ModelRow(name=name, version=version, content=f"{name} {version}", registered=made, reason="")
            row.state = made.state.value
            session.add(row)

    def move(self, version: int, *states: ModelState, name: str = "tags", reason: str = "") -> None:
        """As the twins and people move it."""
        for state in states:
            with self.core.database.write() as session:
                self.models.move(session, name, version, state, "a test says so", reason=reason)

    def stage(self, version: int, name: str = "tags") -> tuple[Component, ...]:
        """Packed and signed for twins, as its twin test begins."""
        with self.core.database.write() as session:
            model = self.models.find(session, name, version)
            staged = self.components.stage(session, self.components.package(session, model))
        self.move(version, ModelState.IN_TWIN, name=name)
        return staged

    def approve(self, version: int, name: str = "tags") -> None:
        """Everything a model has to go through, and the last signature."""
        self.stage(version, name)
        self.move(version, ModelState.AWAITING_APPROVAL, name=name)
        self.sign(version, name)

    def sign(self, version: int, name: str = "tags") -> None:
        """Signed by everybody who must."""
        with self.core.database.write() as session:
            model = self.models.find(session, name, version)
            release(self.components, session, model)
            self.models.move(
                session,
                name,
                version,
                ModelState.APPROVED,
                "signed",
                decided_at=rfc3339(self.core.clock.now()),
                decided_by="ana",
            )

    def start(self, **request: object) -> Delivery:
        with self.core.database.write() as session:
            return self.deliveries.start(session, DeliveryRequest(**({"group": "line"} | request)))  # type: ignore[arg-type]

    def cancel(self, id_: str) -> Delivery:
        with self.core.database.write() as session:
            return self.deliveries.cancel(session, id_)

    def show(self, id_: str) -> Delivery:
        with self.core.database.read() as session:
            return self.deliveries.show(session, id_)

    def all(self) -> list[Delivery]:
        with self.core.database.read() as session:
            return list(self.deliveries.page(session).deliveries)

    def tick(self) -> None:
        self.loop.step()
        self.rollout_loop.step()
        self.loop.step()

    def answer(self, *names: str) -> None:
        """Devices run what they should."""
        for name in names:
            self.fleet.report(name, Phase.HEALTHY)
        self.tick()

    def runs(self, device: str) -> dict[str, str]:
        return {one.name: one.version for one in self.fleet.desired(device).components}
