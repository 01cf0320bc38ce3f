"""What is done with twin tests: begin one, advance it by one action, say what came of it.

Every change is one transaction: the row (compare-and-set on its revision), the deployment or the inquiries that the new
stage needs, the history row and the event; at the end the model's move with the digest of the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy.orm import Session

from lineside.contract.approval import TwinReport, shortfalls
from lineside.contract.counted import counted
from lineside.contract.deployment import ComponentSpec, DeploymentDocument
from lineside.contract.errors import LinesideError
from lineside.contract.ids import canonical
from lineside.contract.inquiry import MAX_TTL, InquiryKind, InquiryRequest
from lineside.contract.model import ModelState, ModelVersion
from lineside.contract.moves import check_move
from lineside.contract.twin import ENDED, TWIN_MOVES, TWINS, StageResult, TwinState, TwinTest
from lineside.server.clock import parse_rfc3339, rfc3339
from lineside.server.components.service import Components
from lineside.server.deployments.service import Deployments
from lineside.server.devices.inquiries import Inquiries
from lineside.server.devices.store import devices_in
from lineside.server.models.service import ModelsService
from lineside.server.services import Core
from lineside.server.twins import model as machine
from lineside.server.twins import store
from lineside.server.twins.content import Content
from lineside.server.twins.sight import Sight
from lineside.server.twins.store import TwinTestMoveRow, TwinTestRow

_DEPLOYS = {
    TwinState.INSTALLING: "twin test of {model}",
    TwinState.ROLLING_BACK: "back from {model}",
    TwinState.REINSTALLING: "{model} again",
}


class TwinTests:
    """The twins room's use cases; every method that takes a session takes part in the caller's transaction."""

    def __init__(
        self,
        core: Core,
        models: ModelsService,
        components: Components,
        deployments: Deployments,
        inquiries: Inquiries,
    ) -> None:
        self._core, self._models, self._components = core, models, components
        self._deployments, self._inquiries = deployments, inquiries
        self._content = Content(models, components)
        self._sight = Sight(core, inquiries, self._content)

    # --- looking --------------------------------------------------------------------------------------------------

    def get(self, name: str, version: int) -> TwinTest:
        """The newest twin test of a model version. Raises `request.not_found`, `twin.not_tested`."""
        with self._core.database.read() as session:
            label = self._models.find(session, name, version).label
            row = store.newest_of(session, label)
            if row is None:
                raise LinesideError("twin.not_tested", model=label)
            return store.value_of(session, row)

    def under_way(self, session: Session) -> list[str]:
        """Models (name:version) whose test is under way, oldest first."""
        return [row.model for row in store.open_tests(session)]

    # --- going on -------------------------------------------------------------------------------------------------

    def begin(self, session: Session, model: ModelVersion) -> None:
        """Pack a model, sign it for twins, and bring the twins to what the fleet may run now. Raises
        `component.exists`."""
        staged = self._components.stage(session, self._components.package(session, model))
        kept = self._content.kept(session, devices_in(session, TWINS))
        now = rfc3339(self._core.clock.now())
        row = TwinTestRow(
            model=model.label,
            state=TwinState.PREPARING,
            twins=tuple(devices_in(session, TWINS)),
            before=kept | self._content.approved_before(session, model),
            wanted=kept | {one.name: ComponentSpec(component_version=one.version) for one in staged},
            outcomes={},
            restarts={},
            asked={},
            entered_at=now,
            created_at=now,
        )
        session.add(row)
        session.flush()
        if row.before or self._content.is_anything_wanted(session, row.twins):
            self._deploy(session, row, row.before, "what ran before {model}")
        named = ", ".join(f"{name} {spec.component_version}" for name, spec in sorted(row.before.items()))
        self._record(session, row, "", f"the twins start from {named or 'nothing'}")
        if model.state is not ModelState.IN_TWIN:
            why = f"the twins test it ({row.id})"
            self._models.move(session, model.name, model.version, ModelState.IN_TWIN, why)

    def needs_step(self, session: Session, model: str) -> bool:
        """Whether `step` would change anything; reads only."""
        row = store.newest_of(session, model)
        return row is not None and machine.advance(self._look(session, row)) != machine.Wait()

    def step(self, session: Session, model: str) -> None:
        """Do the one next thing for a model's test."""
        row = store.newest_of(session, model)
        if row is None or row.state in ENDED:
            return
        match machine.advance(self._look(session, row)):
            case machine.Ask(twins):
                self._ask(session, row, twins)
            case machine.Move(wanted, why):
                self._move(session, row, wanted, why)
            case machine.Wait():
                pass

    def fail(self, session: Session, model: str, why: str) -> None:
        """End a model's test, which cannot go on."""
        row = store.newest_of(session, model)
        if row is not None and row.state not in ENDED:
            self._move(session, row, TwinState.FAILED, why)

    def _look(self, session: Session, row: TwinTestRow) -> machine.View:
        state, view = self._model(session, row).state, self._sight.look(session, row)
        if state is ModelState.IN_TWIN:
            return view
        return replace(view, decided=f"{row.model} is {state.value.replace('_', ' ')} by now")

    def _model(self, session: Session, row: TwinTestRow) -> ModelVersion:
        name, _, version = row.model.rpartition(":")
        return self._models.find(session, name, int(version))

    def _ask(self, session: Session, row: TwinTestRow, twins: tuple[str, ...]) -> None:
        request = InquiryRequest(kind=InquiryKind.MEASURE, ttl_seconds=MAX_TTL)
        asked = {twin: self._inquiries.ask_within(session, twin, request).id for twin in twins}
        row.asked = row.asked | asked
        session.flush()

    def _move(self, session: Session, row: TwinTestRow, wanted: TwinState, why: str) -> None:
        current = row.state
        outcomes = self._sight.outcomes(session, row)
        row.state = check_move("twin test", TWIN_MOVES, current, wanted)
        now = self._core.clock.now()
        took = round((now - parse_rfc3339(row.entered_at)).total_seconds(), 3)
        passed = wanted is not TwinState.FAILED
        stage = StageResult(stage=current, seconds=took, passed=passed, why=why, rollout=row.rollout)
        row.outcomes, row.stages, row.entered_at = outcomes, (*row.stages, stage), rfc3339(now)
        for text in self._sight.outputs(session, row) if current is TwinState.MEASURING else ():
            self._core.objects.put(text.encode())
        self._record(session, row, current.value, why)
        if wanted in _DEPLOYS:
            content = row.before if wanted is TwinState.ROLLING_BACK else row.wanted
            self._deploy(session, row, content, _DEPLOYS[wanted])
        if wanted is TwinState.INSTALLING:
            self._models.note_twin_rollout(session, row.model, row.rollout)
        if wanted is TwinState.SOAKING:
            row.restarts = self._sight.restarts(session, row)
        if wanted in ENDED:
            self._end(session, row, why)
        session.flush()

    def _deploy(self, session: Session, row: TwinTestRow, content: Mapping[str, ComponentSpec], words: str) -> None:
        document = DeploymentDocument(
            group_name=TWINS, deployment_name=words.format(model=row.model), components=dict(content)
        )
        row.rollout = self._deployments.create(session, document).rollout

    def _end(self, session: Session, row: TwinTestRow, why: str) -> None:
        row.finished_at = rfc3339(self._core.clock.now())
        report = self._report(session, row, why)
        row.report = self._core.objects.put(canonical(report))
        model = self._model(session, row)
        if model.state is not ModelState.IN_TWIN:
            return  # a person was faster
        good = row.state is TwinState.PASSED
        words = f"{counted(len(report.twins), 'twin')} passed every stage ({row.id})" if good else f"{row.id}: {why}"
        wanted = ModelState.AWAITING_APPROVAL if good else ModelState.TWIN_FAILED
        self._models.move(
            session,
            model.name,
            model.version,
            wanted,
            words,
            twin_report=row.report,
            twin_rollout=report.rollout or None,
        )

    def _report(self, session: Session, row: TwinTestRow, why: str) -> TwinReport:
        """What the twins saw, as it is kept and signed. Held against the very rules that signers apply to it."""
        model = self._model(session, row)
        installed = next((one.rollout for one in row.stages if one.stage is TwinState.INSTALLING), "")
        report = TwinReport(
            model=model.label,
            digest=model.digest,
            rollout=installed,
            state="succeeded" if row.state is TwinState.PASSED else "failed",
            finished_at=row.finished_at,
            recipes=self._content.digests(session, row.wanted),
            twins=tuple(row.outcomes[twin] for twin in sorted(row.outcomes)),
            stages=row.stages,
            before=self._content.digests(session, row.before),
            soak_seconds=self._core.settings.twin_soak_seconds,
            why="" if row.state is TwinState.PASSED else why,
        )
        wrong = shortfalls(report) if row.state is TwinState.PASSED else ()
        if wrong:
            raise LinesideError("internal.unexpected", why=f"a twin test passed with {wrong[0]}")
        return report

    def _record(self, session: Session, row: TwinTestRow, current: str, why: str) -> None:
        at = rfc3339(self._core.clock.now())
        session.add(TwinTestMoveRow(test=row.number, at=at, current=current, wanted=row.state.value, why=why))
        words = f"The twin test of {row.model} is {row.state.value.replace('_', ' ')}: {why.rstrip('.')}."
        self._core.events.record(session, kind=f"twin.{row.state.value}", subject=row.model, message=words)
