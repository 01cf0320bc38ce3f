"""Where models that a twin has tested are decided about, for tests: with the keys here, or with hands elsewhere."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lineside.contract.ceremony import Proposal
from lineside.contract.ids import canonical
from lineside.contract.model import Decision, Lineage, ModelState, ModelVersion, RegisterModel
from lineside.contract.run import RunRequest
from lineside.server.access.audit import AuditRow
from lineside.server.access.caller import Caller, acting
from lineside.server.components.approvals import Approvals
from lineside.server.components.service import Components
from lineside.server.components.testing import model_version
from lineside.server.datasets.service import DatasetsService
from lineside.server.models.service import ModelsService
from lineside.server.runs.service import RunsService
from lineside.server.services import Core
from tests.server.trust.hands import Hand, House
from tests.twin_reports import twin_report

TARGET = "models/tags.model-1.0.0.json"


def person(name: str) -> Caller:
    return Caller(name=name, by="session")


class Office(House):
    """Where a model, tested by a twin, is decided about. With hands its keys lie elsewhere."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.components = Components(core, self.proposals.repository)
        self.runs = RunsService(core, DatasetsService(core))
        self.models = ModelsService(core, self.runs)
        self.approvals = Approvals(core, self.components, self.models, self.proposals)

    def offline(self, *approvers: Hand, threshold: int = 1) -> None:
        self.builder, self.owner = Hand("bea"), Hand("t")
        hands = {"root": [Hand("r")], "targets": [self.owner], "approvers": [*approvers], "builders": [self.builder]}
        self.take_over(hands, approvers=threshold)

    def tested(self, by: str = "ola", version: int = 1) -> ModelVersion:
        """A model that awaits approval, of a run that somebody started."""
        with acting(person(by)):
            run = self.runs.start(RunRequest(kind="import", model="tags", init=self.core.objects.put(b"weights"),
                                             parameters={"head": "compact", "labels": ["scratch"]}))  # fmt: skip
        made = model_version(self.core.objects, version)
        self.models.register(
            RegisterModel(
                name=made.name,
                signature=made.signature,
                variants=made.variants,
                gates=(),
                lineage=_of_run(made, run.id),
                golden=made.golden,
            )
        )
        with self.core.database.write() as session:
            model = self.models.find(session, "tags", version)
            staged = self.components.stage(session, self.components.package(session, model))
            report = twin_report(
                model=model.label,
                digest=model.digest,
                rollout=f"rollout-{version}",
                recipes={one.name: one.recipe_digest for one in staged},
            )
            fields = {"twin_rollout": report.rollout, "twin_report": self.core.objects.put(canonical(report))}
            self.models.move(session, "tags", version, ModelState.IN_TWIN, "test", **fields)
            return self.models.move(session, "tags", version, ModelState.AWAITING_APPROVAL, "test")

    def ask(self, who: str = "ana", version: int = 1) -> Proposal:
        with acting(person(who)):
            return self.models.propose("tags", version, Decision(reason="good"))

    def give(self, proposal: Proposal, hand: Hand, by: str | None = None) -> Proposal:
        with acting(person(by or hand.name)):
            return self.sign(proposal, hand)

    def model(self, version: int = 1) -> ModelVersion:
        return self.models.get("tags", version)

    def file(self, digest: str) -> Path:
        value = digest.removeprefix("sha256:")
        return self.core.root / "objects" / "sha256" / value[:2] / value

    def audit(self, action: str) -> list[tuple[str, str, str | None, str]]:
        with self.core.database.read() as session:
            rows = session.query(AuditRow).filter(AuditRow.action == action).order_by(AuditRow.number)
            return [(row.actor, row.subject, row.digest, row.why) for row in rows]


def _of_run(model: ModelVersion, run: str) -> Lineage:
    return msgspec.structs.replace(model.lineage, run=run)
