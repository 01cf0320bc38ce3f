"""The way of a model from candidate to every device, as loops, a person and devices go it; killed where a test says.

Run as a program (`python loop_story.py ROOT EFFECT`) it goes that way on ROOT and kills itself before that effect.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import event, select

from lineside.contract.deployment import ComponentSpec, DeploymentDocument
from lineside.contract.model import Decision, ModelState, RegisterModel
from lineside.contract.reported import Phase
from lineside.contract.rollout import RolloutState
from lineside.server.adapters.files import write_atomic
from lineside.server.adapters.signer import KeyFiles
from lineside.server.adapters.tuf import FolderShelf, Repository
from lineside.server.components.approvals import Approvals
from lineside.server.components.service import Components
from lineside.server.components.testing import model_version
from lineside.server.datasets.service import DatasetsService
from lineside.server.deployments.service import Deployments
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.inquiries import Inquiries
from lineside.server.devices.store import DeviceRow
from lineside.server.loops.delivery import DeliveryLoop
from lineside.server.loops.rollouts import RolloutLoop
from lineside.server.models.service import ModelsService
from lineside.server.rollouts.service import Rollouts
from lineside.server.rollouts.testing import Fleet
from lineside.server.runs.service import RunsService
from lineside.server.testing import make_core
from lineside.server.trust.service import Proposals
from lineside.server.twins.service import TwinTests
from lineside.server.twins.testing import answer_twins

DEVICES = ("a", "b")


class Killed(BaseException):
    """The process ends here."""


class House:
    """A control plane's rooms and loops on a root. `before_effect` is called before each commit and each file."""

    def __init__(self, root: Path, sources: Path, before_effect: Callable[[], None] = lambda: None) -> None:
        self.core = make_core(root, twin_soak_seconds=0.0)
        self.fleet = Fleet(self.core)

        def write(path: Path, data: bytes) -> None:
            before_effect()
            write_atomic(path, data)

        repository = Repository(FolderShelf(root / "tuf", write), KeyFiles(root / "keys"), self.core.clock.now)
        self.components = Components(self.core, repository, sources)
        self.models = ModelsService(self.core, RunsService(self.core, DatasetsService(self.core)))
        self.approvals = Approvals(self.core, self.components, self.models, Proposals(self.core, repository))
        self.rollouts = Rollouts(self.core, DesiredDocuments(self.core), self.components)
        self.deployments = Deployments(self.core, self.components, self.models, self.rollouts)
        inquiries = Inquiries(self.core)
        self.twin_tests = TwinTests(self.core, self.models, self.components, self.deployments, inquiries)
        self.delivery = DeliveryLoop(self.core.database, self.models, self.twin_tests)
        self.rollout_loop = RolloutLoop(self.core.database, self.rollouts)
        event.listen(self.core.database.engine, "commit", lambda connection: _if_writing(connection, before_effect))

    def close(self) -> None:
        self.core.database.close()

    def tick(self) -> None:
        self.delivery.step()
        self.rollout_loop.step()

    def register(self, version: int = 1) -> None:
        """What a run does at its end; the same content is the same version."""
        made = model_version(self.core.objects, version)
        self.models.register(
            RegisterModel(
                name=made.name,
                signature=made.signature,
                variants=made.variants,
                gates=(),
                lineage=made.lineage,
                golden=made.golden,
            )
        )

    def join(self) -> None:
        with self.core.database.read() as session:
            there = {row.name for row in session.scalars(select(DeviceRow))}
        for name in {"twin", *DEVICES} - there:
            self.fleet.join(name, group="twins" if name == "twin" else "line", twin=name == "twin")

    def answer(self) -> None:
        """Every device does what it should and says so, once a revision."""
        with self.core.database.read() as session:
            reports = {row.name: row.report for row in session.scalars(select(DeviceRow))}
        for name, report in reports.items():
            wanted = self.fleet.desired(name).revision
            if wanted and (report is None or report.revision != wanted):
                self.fleet.report(name, Phase.HEALTHY if self.fleet.desired(name).components else Phase.IDLE)
        answer_twins(self.core)

    def through_the_twins(self, version: int = 1) -> ModelState:
        """Let the twins answer until the test of a version is over."""
        for _ in range(20):
            self.tick()
            state = self.models.get("tags", version).state
            if state is not ModelState.IN_TWIN and state is not ModelState.CANDIDATE:
                return state
            self.answer()
        raise AssertionError("the twin test does not come to its end")

    def model(self) -> ModelState:
        return self.models.get("tags", 1).state

    def deploy(self) -> RolloutState:
        document = DeploymentDocument(
            group_name="line",
            components={
                "tags.model": ComponentSpec(component_version="1.0.0"),
                "tags.inference": ComponentSpec(component_version="0.1.0"),
            },
        )
        with self.core.database.write() as session:
            deployment = self.deployments.create(session, document)
            return self.rollouts.show(session, deployment.rollout).state

    def go(self) -> None:
        """From wherever it stands to the end."""
        self.join()
        self.register()
        for _ in range(40):
            self.tick()
            self.answer()
            if self.model() is ModelState.AWAITING_APPROVAL:
                self.models.approve("tags", 1, Decision())
            if self.model() is ModelState.APPROVED and self.deploy() is RolloutState.SUCCEEDED:
                return
        raise AssertionError("the story does not come to its end")


def _if_writing(connection: object, before_effect: Callable[[], None]) -> None:
    """What devices send is stored in a thread of its own, whose end would leave whoever waits for it waiting."""
    if threading.current_thread() is not threading.main_thread():
        return
    if connection.get_execution_options().get("lineside_mode") == "write":  # type: ignore[attr-defined]
        before_effect()


def count_down(effects: int, then: Callable[[], None]) -> Callable[[], None]:
    """Calls `then` before effect number `effects`, counted from 0."""
    left = [effects]

    def before_effect() -> None:
        left[0] -= 1
        if left[0] < 0:
            then()

    return before_effect


if __name__ == "__main__":
    root, sources, at = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    House(root, sources, count_down(at, lambda: os.kill(os.getpid(), signal.SIGKILL))).go()
    sys.stdout.write("done\n")
