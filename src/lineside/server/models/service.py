"""What can be done with model versions: register, move, approve, reject, import.

    candidate ─► in_twin ─► awaiting_approval ─► approved     (gated_out never gets here)

Each move is one compare-and-set, its history row and its event, in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.ceremony import Proposal
from lineside.contract.dataset import Split
from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.evaluation import EVERYTHING, EvaluateModel
from lineside.contract.ids import is_digest, is_name
from lineside.contract.model import (
    MODEL_MOVES,
    Decision,
    ImportModel,
    ModelState,
    ModelVersion,
    RegisterModel,
    Variant,
)
from lineside.contract.moves import Moved, check_move
from lineside.contract.registry import ModelPage
from lineside.contract.run import Run, RunRequest
from lineside.server.access.caller import current
from lineside.server.clock import rfc3339
from lineside.server.models import store
from lineside.server.models.approver import Approver
from lineside.server.models.model import blobs_of, check_approvable, chosen_of, content_of, first_state
from lineside.server.models.store import Filter, ModelMoveRow, ModelRow
from lineside.server.runs.service import RunsService
from lineside.server.services import Core


class ModelsService:
    """Model versions."""

    def __init__(self, core: Core, runs: RunsService) -> None:
        self._core, self._runs = core, runs
        self.approver: Approver | None = None  # comes from the components room, which has what is signed

    # --- registering ----------------------------------------------------------------------------------------------

    def register(self, model: RegisterModel) -> ModelVersion:
        """The version of this content, made now unless it is there. Raises `model.incomplete`, `request.invalid`."""
        chosen = chosen_of(model)
        for what, digest, size in blobs_of(model):
            self._check_blob(model.name, what, digest, size)
        with self._core.database.write() as session:
            content = content_of(model, chosen)
            known = store.by_content(session, content)
            return known.value() if known is not None else self._add(session, model, chosen, content)

    def start_import(self, request: ImportModel) -> Run:
        """Queue a run that checks, scores and registers a model made elsewhere. Raises as `RunsService.start`."""
        return self._runs.start(
            RunRequest(
                kind="import",
                model=request.name,
                dataset=request.dataset,
                init=request.file,
                trainer="imported",
                cost=request.cost,
                parameters={"head": request.head, "labels": request.labels}
                | ({"feed": request.feed} if request.feed else {}),
            )
        )

    def start_evaluation(self, name: str, version: int, request: EvaluateModel) -> Run:
        """Queue a run that scores a version on a dataset version. Raises `request.not_found`, `request.invalid`."""
        splits = (*(split.value for split in Split), EVERYTHING)
        if request.split not in splits:
            raise LinesideError("request.invalid", why=f"{request.split[:80]!r} is not one of {', '.join(splits)}")
        self.get(name, version)
        return self._runs.start(
            RunRequest(
                kind="evaluate",
                model=name,
                dataset=request.dataset,
                trainer="imported",
                parameters={"version": version, "split": request.split},
            )
        )

    # --- looking --------------------------------------------------------------------------------------------------

    def page(self, wanted: Filter, before: int | None = None, limit: int = 100) -> ModelPage:
        """The versions asked for, newest first, at most `limit` of those that arrived before number `before`."""
        with self._core.database.read() as session:
            rows, total, following = store.a_page(session, wanted, before, limit)
            return ModelPage(models=tuple(row.value() for row in rows), total=total, next=following)

    def counts(self) -> dict[ModelState, int]:
        """How many versions there are in each state that any is in."""
        with self._core.database.read() as session:
            return store.count_by_state(session)

    def tested(self) -> int:
        """How many versions a twin ever had."""
        with self._core.database.read() as session:
            return store.count_tested(session)

    def get(self, name: str, version: int) -> ModelVersion:
        """One version, with how far its approval is. Raises `request.not_found`."""
        with self._core.database.read() as session:
            return self._with_approval(session, name, version)

    def pointing(self, names: Sequence[str]) -> dict[tuple[str, int], tuple[str, ...]]:
        """The aliases that people set on some models, by name and version."""
        found: dict[tuple[str, int], tuple[str, ...]] = {}
        with self._core.database.read() as session:
            for row in store.aliases(session, names):
                key = (row.model, row.version)
                found[key] = (*found.get(key, ()), row.alias)
        return found

    def signs_here(self) -> bool:
        """Whether models are approved with keys that lie on this machine."""
        return self.approver is not None and self.approver.signs_here()

    def history(self, name: str, version: int) -> tuple[Moved, ...]:
        """Every move of a version, oldest first."""
        with self._core.database.read() as session:
            return store.history(session, name, version)

    def versions(self, session: Session, state: ModelState | None = None) -> list[ModelVersion]:
        """All versions, or those in one state, newest first."""
        return [row.value() for row in store.newest_first(session, state)]

    def newest(self, session: Session, name: str, without: Sequence[ModelState] = ()) -> ModelVersion | None:
        """The newest version of a model that is in none of some states, if there is one."""
        row = store.newest(session, name, without=without)
        return None if row is None else row.value()

    def by_label(self, session: Session, label: str) -> ModelVersion | None:
        """The version that is written `name:version`, if there is one."""
        name, _, version = label.rpartition(":")
        row = store.by_label(session, name, int(version)) if version.isdecimal() else None
        return None if row is None else row.value()

    def names(self, session: Session) -> list[str]:
        """The names of all models."""
        return store.names(session)

    def find(self, session: Session, name: str, version: int) -> ModelVersion:
        """One version. Raises `request.not_found`."""
        return self._row(session, name, version).value()

    # --- moving ---------------------------------------------------------------------------------------------------

    def move(
        self,
        session: Session,
        name: str,
        version: int,
        wanted: ModelState,
        why: str,
        actor: str = "",
        **fields: str | None,
    ) -> ModelVersion:
        """Move a version; `fields` may set `twin_rollout`, `decided_at`, `decided_by` and `reason` with it.

        Raises `request.not_found`, `state.illegal_move`, `model.changed` when somebody moved it meanwhile.
        """
        row = self._row(session, name, version)
        current = ModelState(row.state)
        check_move("model", MODEL_MOVES, current, wanted)
        if not store.compare_and_set(session, row, current, wanted, **fields):
            session.refresh(row)
            raise LinesideError("model.changed", model=f"{name}:{version}", current=row.state, expected=current.value)
        self._record(session, row, current.value, why, actor)
        return row.value()

    def approve(self, name: str, version: int, decision: Decision) -> ModelVersion:
        """Have a model that awaits approval signed with the keys of this machine; an approved one stays as it is.

        Signing comes first: when it fails, or the power goes before the commit, the model still awaits approval, and
        approving again signs the same again. Raises `request.not_found`, `model.not_approvable`, and what signing does.
        """
        with self._telling(name, version), self._core.database.write() as session:
            model = self.find(session, name, version)
            if model.state is not ModelState.APPROVED:
                check_approvable(model)
                self._approver().approve(session, model, decision)
            return self._with_approval(session, name, version)

    def propose(self, name: str, version: int, decision: Decision) -> Proposal:
        """What is to be signed where the keys are; asked again, the same. Raises as `approve`."""
        with self._telling(name, version), self._core.database.write() as session:
            return self._approver().propose(session, self.find(session, name, version), decision)

    def withdraw(self, name: str, version: int, decision: Decision) -> ModelVersion:
        """Take an approval back: at once with the keys of this machine, else `approval.proposal` is to be signed.

        Raises `request.not_found`, `approval.not_withdrawable`, `approval.reason_missing`.
        """
        with self._core.database.write() as session:
            self._approver().withdraw(session, self.find(session, name, version), decision)
            return self._with_approval(session, name, version)

    def approved(self, session: Session, model: ModelVersion, by: str, reason: str) -> bool:
        """All who must have signed it; False when that was known."""
        if self.find(session, model.name, model.version).state is ModelState.APPROVED:
            return False
        decided = {"decided_at": self._now(), "decided_by": by, "reason": reason}
        self.move(session, model.name, model.version, ModelState.APPROVED, reason or "approved", by, **decided)
        return True

    def withdrawn(self, session: Session, model: ModelVersion, by: str, reason: str) -> bool:
        """Its approval was taken back: it is retired; False when that was known."""
        if self.find(session, model.name, model.version).state is ModelState.RETIRED:
            return False
        decided = {"decided_at": self._now(), "decided_by": by, "reason": reason}
        self.move(session, model.name, model.version, ModelState.RETIRED, reason, by, **decided)
        return True

    def reject(self, name: str, version: int, decision: Decision) -> ModelVersion:
        """Say no, with a reason. Raises `model.reason_missing`, `request.not_found`, `state.illegal_move`."""
        reason = decision.reason.strip()
        if not reason:
            raise LinesideError("model.reason_missing", model=f"{name}:{version}")
        with self._core.database.write() as session:
            at = self._now()
            actor = current().name
            decided = {"decided_at": at, "decided_by": actor, "reason": reason}
            model = self.move(session, name, version, ModelState.REJECTED, reason, actor, **decided)
            if self.approver is not None:
                self.approver.rejected(session, model, reason)
            self._core.audit.record(session, "model.reject", model.label, digest=model.digest, why=reason)
            return model

    def retest(self, name: str, version: int, decision: Decision) -> ModelVersion:
        """Have a model tested on the twins once more; what was signed about it so far counts no more.

        Raises `request.not_found`, `twin.not_now` unless its twin test is over and nobody has decided about it.
        """
        with self._core.database.write() as session:
            model = self.find(session, name, version)
            if model.state not in (ModelState.AWAITING_APPROVAL, ModelState.TWIN_FAILED):
                raise LinesideError("twin.not_now", model=model.label, current=model.state.value.replace("_", " "))
            why = decision.reason.strip() or "to be tested on the twins again"
            forgotten = {"twin_rollout": None, "twin_report": None}
            model = self.move(session, name, version, ModelState.CANDIDATE, why, current().name, **forgotten)
            if self.approver is not None:
                self.approver.rejected(session, model, why)
            self._core.audit.record(session, "model.retest", model.label, digest=model.digest, why=why)
            return model

    def retire(self, name: str, version: int, decision: Decision) -> ModelVersion:
        """Put a version away for good that will never be deployed; an approved one's approval is withdrawn instead.

        Raises `request.not_found`, `model.withdraw_first`, `state.illegal_move`.
        """
        with self._core.database.write() as session:
            model = self.find(session, name, version)
            if model.state is ModelState.APPROVED:
                raise LinesideError("model.withdraw_first", model=model.label)
            why = decision.reason.strip() or "no longer wanted"
            decided = {"decided_at": self._now(), "decided_by": current().name, "reason": why}
            model = self.move(session, name, version, ModelState.RETIRED, why, current().name, **decided)
            self._core.audit.record(session, "model.retire", model.label, digest=model.digest, why=why)
            return model

    def note_twin_rollout(self, session: Session, label: str, rollout: str) -> None:
        """The twins are given a model (name:version) by this rollout."""
        name, _, version = label.rpartition(":")
        self._row(session, name, int(version)).twin_rollout = rollout

    # --- inside ---------------------------------------------------------------------------------------------------

    def _approver(self) -> Approver:
        if self.approver is None:
            raise LinesideError("approval.key_needed", what="models", command="lineside models list")
        return self.approver

    def _with_approval(self, session: Session, name: str, version: int) -> ModelVersion:
        model = self.find(session, name, version)
        found = self.approver.of_model(session, model) if self.approver is not None else None
        return msgspec.structs.replace(model, approval=found)

    @contextmanager
    def _telling(self, name: str, version: int) -> Iterator[None]:
        """A refusal is an event, too."""
        try:
            yield
        except LinesideError as error:
            self._refused(f"{name}:{version}", current().name, error.report())
            raise

    def _refused(self, label: str, actor: str, error: ErrorReport) -> None:
        with self._core.database.write() as session:
            self._core.events.record(
                session, kind="model.approval_refused", subject=label, message=error.message, actor=actor, error=error
            )

    def _check_blob(self, name: str, what: str, digest: str, size: int | None) -> None:
        if not is_digest(digest) or not self._core.objects.exists(digest):
            raise LinesideError("model.incomplete", name=name, why=f"{what} ({digest}) was not sent")
        if size is not None and self._core.objects.size(digest) != size:
            raise LinesideError("model.incomplete", name=name, why=f"{what} has not the {size} bytes it should have")

    def _add(self, session: Session, model: RegisterModel, chosen: Variant, content: str) -> ModelVersion:
        state = first_state(model.gates)
        registered = ModelVersion(
            name=model.name,
            version=store.next_version(session, model.name),
            state=state,
            digest=chosen.digest,
            variant=chosen.name,
            signature=model.signature,
            variants=model.variants,
            metrics=chosen.metrics,
            gates=model.gates,
            lineage=model.lineage,
            golden=model.golden,
            baseline=model.baseline,
            predictions=model.predictions,
            evaluation=model.evaluation,
            created_at=self._now(),
        )
        row = ModelRow(
            name=registered.name,
            version=registered.version,
            content=content,
            registered=registered,
            dataset=named if (named := registered.lineage.dataset) and is_name(named) else None,
            state=state.value,
            reason="",
        )
        session.add(row)
        session.flush()
        self._record(session, row, "", "registered")
        return registered

    def _row(self, session: Session, name: str, version: int) -> ModelRow:
        row = store.by_label(session, name, version)
        if row is None:
            raise LinesideError("request.not_found", what="model", name=f"{name}:{version}")
        return row

    def _record(self, session: Session, row: ModelRow, current: str, why: str, actor: str = "") -> None:
        session.add(
            ModelMoveRow(
                name=row.name,
                version=row.version,
                at=self._now(),
                current=current,
                wanted=row.state,
                why=why,
                actor=actor,
            )
        )
        label = f"{row.name}:{row.version}"
        message = f"{label} is {row.state.replace('_', ' ')}: {why.rstrip('.')}."
        self._core.events.record(session, kind=f"model.{row.state}", subject=label, message=message, actor=actor)

    def _now(self) -> str:
        return rfc3339(self._core.clock.now())
