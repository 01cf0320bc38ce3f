"""Approvals: what is laid before people to be signed, whose signatures count, and what happens when all are there.

    a model awaits approval ─► proposal model.approve ─► signatures ─► published: approved, devices may install it
    an approved model ─► proposal model.withdraw ─► signatures ─► published: its target is gone, the model is retired
    a component ─► proposal component.sign ─► signatures ─► published: released

With keys that lie on this machine (developer trust) a proposal is signed and published as it is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.approval import Approval, ApprovalState
from lineside.contract.ceremony import Proposal, ProposalState, SignedBy, TrustKey, TrustMode
from lineside.contract.ceremony_changes import part_of
from lineside.contract.component import ComponentKind
from lineside.contract.errors import LinesideError
from lineside.contract.model import Decision, ModelState, ModelVersion
from lineside.contract.trust import ApprovalStatement, release_target
from lineside.server.access.caller import current
from lineside.server.adapters.tuf import NewTarget
from lineside.server.components.recipes import model_component, model_component_version
from lineside.server.components.service import Components
from lineside.server.components.store import ComponentRow
from lineside.server.components.validity import changed_bytes, differs
from lineside.server.models.model import check_approvable
from lineside.server.models.service import ModelsService
from lineside.server.services import Core
from lineside.server.trust.service import Proposals

APPROVE, WITHDRAW, SIGN = "model.approve", "model.withdraw", "component.sign"


class Approvals:
    """The use cases of approving; every method takes part in the caller's transaction."""

    def __init__(self, core: Core, components: Components, models: ModelsService, proposals: Proposals) -> None:
        self._core, self._components, self._models, self._proposals = core, components, models, proposals
        models.approver = self
        self.attend(proposals)

    def attend(self, proposals: Proposals) -> None:
        """Judge the signatures that arrive there, and act on what is published there."""
        proposals.checks.append(self._check)
        proposals.judges.append(self._may_be_published)
        proposals.listeners.append(self._published)

    # --- what people ask for --------------------------------------------------------------------------------------

    def signs_here(self) -> bool:
        """Whether the keys that approve models lie on this machine."""
        return self._proposals.can_sign("approvers")

    def propose(self, session: Session, model: ModelVersion, decision: Decision) -> Proposal:
        """Lay a model before its approvers; what is open and still right is that proposal again.

        Raises `model.not_approvable`, `approval.void` when its bytes are not what its digests name.
        """
        check_approvable(model)
        row, _ = self._components.packaged_rows(session, model)
        self._intact(model.label, row)
        target = _target(row, self._components.statement(session, model, row))
        return self._proposals.propose(
            session, APPROVE, model.label, current().name, decision.reason.strip(), lambda draft: draft.add(target)
        )

    def approve(self, session: Session, model: ModelVersion, decision: Decision) -> None:
        """Approve with the keys that lie on this machine. Raises `approval.key_needed`, and as `propose`."""
        if not self.signs_here():
            command = f"lineside models approve {model.label} --key FILE"
            raise LinesideError("approval.key_needed", what="models", command=command)
        row, code = self._components.packaged_rows(session, model)
        if self._components.why_void(session, row, model) == "":  # the power went between signing and noting it
            self._approved(session, model, row, current().name, decision.reason.strip())
        else:
            self.propose(session, model, decision)
        if code.target is None and self._proposals.can_sign("builders"):
            self.sign(session, code)

    def withdraw(self, session: Session, model: ModelVersion, decision: Decision) -> None:
        """Have an approval taken back. Raises `approval.not_withdrawable`, `approval.reason_missing`."""
        why = decision.reason.strip()
        if not why:
            raise LinesideError("approval.reason_missing", model=model.label)
        if model.state is not ModelState.APPROVED:
            raise LinesideError("approval.not_withdrawable", model=model.label, state=model.state.value)
        row, _ = self._components.packaged_rows(session, model)
        path = _target(row).path
        if self._components.repository.find(path) is None:  # as above, or nobody ever signed it
            self._withdrawn(session, model, row, current().name, why)
        else:
            self._proposals.propose(
                session, WITHDRAW, model.label, current().name, why, lambda draft: draft.remove(path)
            )

    def sign(self, session: Session, row: ComponentRow) -> Proposal | None:
        """Lay a component before its builders; None when it is signed already. Raises `component.not_yours`."""
        if row.kind == ComponentKind.MODEL.value:
            raise LinesideError("component.not_yours", name=row.name)
        if row.target is None and self._components.why_void(session, row, None) == "":
            self._released(session, row)
        if row.target is not None:
            return None
        self._intact(_subject(row), row)
        target = _target(row)
        return self._proposals.propose(
            session, SIGN, _subject(row), current().name, "", lambda draft: draft.add(target)
        )

    def propose_component(self, session: Session, row: ComponentRow) -> Proposal:
        """As `sign`; of what is signed already, the proposal that did it. Raises `trust.nothing_changed`."""
        made = self.sign(session, row)
        signed = made or next(iter(self._proposals.about(session, SIGN, _subject(row), ProposalState.PUBLISHED)), None)
        if signed is None:
            raise LinesideError("trust.nothing_changed")
        return signed

    def rejected(self, session: Session, model: ModelVersion, why: str) -> None:
        """Nobody is asked about a rejected model any more."""
        for proposal in self._proposals.about(session, APPROVE, model.label, ProposalState.OPEN):
            self._proposals.withdraw(session, proposal.id, why)

    # --- how far it is --------------------------------------------------------------------------------------------

    def of_model(self, session: Session, model: ModelVersion) -> Approval | None:
        """The approval of a model version, or of its being taken back while that waits for signatures."""
        decided_about = (ModelState.AWAITING_APPROVAL, ModelState.APPROVED)
        if model.state not in decided_about or not self._components.is_packaged(session, model):
            return None
        going = self._open(session, WITHDRAW, model.label)
        if going is not None:
            return self._shown(session, going, "", withdraws=True)
        row, _ = self._components.packaged_rows(session, model)
        if model.state is ModelState.APPROVED:
            return self._signed(session, APPROVE, model.label, self._components.why_void(session, row, model))
        proposal = self._open(session, APPROVE, model.label)
        return None if proposal is None else self._shown(session, proposal, self._changed(session, proposal, model))

    def of_component(self, session: Session, row: ComponentRow) -> Approval | None:
        """The signing of an app; a model's files have the model's approval."""
        if row.kind == ComponentKind.MODEL.value:
            return None
        if row.target is not None:
            return self._signed(session, SIGN, _subject(row), self._components.why_void(session, row, None))
        proposal = self._open(session, SIGN, _subject(row))
        return None if proposal is None else self._shown(session, proposal, changed_bytes(self._core.objects, row))

    def _open(self, session: Session, kind: str, subject: str) -> Proposal | None:
        return next(iter(self._proposals.about(session, kind, subject, ProposalState.OPEN)), None)

    def _signed(self, session: Session, kind: str, subject: str, why: str) -> Approval:
        proposal = next(iter(self._proposals.about(session, kind, subject, ProposalState.PUBLISHED)), None)
        if proposal is None:  # signed before there were proposals
            return Approval(state=ApprovalState.VOID if why else ApprovalState.SIGNED, signed=1, needed=1, why=why)
        return self._shown(session, proposal, why)

    def _shown(self, session: Session, proposal: Proposal, why: str, *, withdraws: bool = False) -> Approval:
        state = ApprovalState.OPEN if proposal.state is ProposalState.OPEN else ApprovalState.SIGNED
        signed, needed = proposal.signed
        said = statement_in(proposal)
        return Approval(
            state=ApprovalState.VOID if why else state,
            signed=signed,
            needed=needed,
            by=tuple(self._proposals.signers(session, proposal.id)),
            proposal=proposal.id,
            withdraws=withdraws,
            statement=said.content if said else None,
            why=why,
        )

    # --- signatures -----------------------------------------------------------------------------------------------

    def _check(self, session: Session, proposal: Proposal, key: TrustKey) -> None:
        """Before a signature counts: whether what it signs is still true, and who gives it."""
        if proposal.kind == APPROVE:
            model = self._model(session, proposal.subject)
            check_approvable(model)
            why = self._changed(session, proposal, model)
            if why:
                command = f"lineside models approve {model.label} --key FILE"
                raise LinesideError("approval.void", subject=model.label, why=why, command=command)
            earlier = tuple(one for one in proposal.signatures if one.key != key.id)
            mine = SignedBy(role="", key=key.id, name=key.name, at="", by=current().name, signature="")
            starter = self._starters_alone(proposal, (*earlier, mine))
            if starter:
                raise LinesideError("approval.four_eyes", who=starter, model=model.label)
        elif proposal.kind == SIGN:
            self._intact(proposal.subject, self._row(session, proposal.subject))

    def _changed(self, session: Session, proposal: Proposal, model: ModelVersion) -> str:
        """Why an open proposal no longer says what is here; empty when it does."""
        row, _ = self._components.packaged_rows(session, model)
        said = statement_in(proposal)
        if said is None:
            return "its approval cannot be read"
        now = self._components.statement(session, model, row)
        return differs(said.to_custom(), now) or changed_bytes(self._core.objects, row)

    def _may_be_published(self, session: Session, proposal: Proposal) -> bool:
        """As `_check`, of signatures that became enough because fewer are needed now."""
        if proposal.kind != APPROVE:
            return True
        model = self._model(session, proposal.subject)
        right = model.state is ModelState.AWAITING_APPROVAL and not self._changed(session, proposal, model)
        return right and not self._starters_alone(proposal, proposal.signatures)

    def _starters_alone(self, proposal: Proposal, signatures: Sequence[SignedBy]) -> str:
        """Who started the run, when these signatures would be enough and all of them are the starter's."""
        said = statement_in(proposal)
        starter = said.started_by if said else ""
        if not starter or not self._two_people():
            return ""
        keys = {one.key for one in signatures}
        enough = all(len(keys & set(q.keys)) >= q.threshold for file in proposal.files for q in file.quorums)
        return starter if enough and all(starter in (one.name, one.by) for one in signatures) else ""

    def _two_people(self) -> bool:
        wanted = self._core.settings.four_eyes
        return self._proposals.mode() is TrustMode.OFFLINE if wanted == "auto" else wanted != "off"

    def _intact(self, subject: str, row: ComponentRow) -> None:
        why = changed_bytes(self._core.objects, row)
        if why:
            command = f"lineside components show {row.name} {row.version}"
            raise LinesideError("approval.void", subject=subject, why=why, command=command)

    # --- all signatures are there ---------------------------------------------------------------------------------

    def _published(self, session: Session, proposal: Proposal) -> None:
        """Called in the transaction that publishes, perhaps again for the same proposal."""
        if proposal.kind == SIGN:
            self._released(session, self._row(session, proposal.subject))
        elif proposal.kind in (APPROVE, WITHDRAW):
            model = self._model(session, proposal.subject)
            row, _ = self._components.packaged_rows(session, model)
            by = _names(proposal.signatures, self._proposals.mode()) or proposal.by
            done = self._approved if proposal.kind == APPROVE else self._withdrawn
            done(session, model, row, by, proposal.why)

    def _approved(self, session: Session, model: ModelVersion, row: ComponentRow, by: str, reason: str) -> None:
        if row.target is None:
            self._components.released(session, row, by)
        if self._models.approved(session, model, by, reason):
            self._core.audit.record(session, APPROVE, model.label, digest=model.digest, why=_words(by, reason))

    def _withdrawn(self, session: Session, model: ModelVersion, row: ComponentRow, by: str, reason: str) -> None:
        row.target = None
        if self._models.withdrawn(session, model, by, reason):
            self._core.audit.record(session, WITHDRAW, model.label, digest=model.digest, why=_words(by, reason))

    def _released(self, session: Session, row: ComponentRow) -> None:
        if row.target is None:
            self._components.released(session, row, current().name)
            self._core.audit.record(session, SIGN, _subject(row), digest=row.recipe_digest)

    def _model(self, session: Session, label: str) -> ModelVersion:
        name, _, version = label.rpartition(":")
        return self._models.find(session, name, int(version))

    def _row(self, session: Session, subject: str) -> ComponentRow:
        name, _, version = subject.partition(":")
        return self._components.row(session, name, version)


def statement_in(proposal: Proposal) -> ApprovalStatement | None:
    """The statement that a proposal adds, from the very bytes to be signed; None when it adds none."""
    if proposal.kind != APPROVE:
        return None
    name, _, version = proposal.subject.rpartition(":")
    path = release_target(ComponentKind.MODEL, model_component(name), model_component_version(int(version)))
    added = (part_of(file.text)["targets"].get(path) for file in proposal.files if file.role == "approvers")
    try:
        return next((ApprovalStatement.from_custom(one["custom"]) for one in added if one), None)
    except (msgspec.ValidationError, KeyError):
        return None


def _subject(row: ComponentRow) -> str:
    return f"{row.name}:{row.version}"


def _target(row: ComponentRow, statement: ApprovalStatement | None = None) -> NewTarget:
    path = release_target(ComponentKind(row.kind), row.name, row.version)
    custom = None if statement is None else statement.to_custom()
    return NewTarget(path=path, digest=row.recipe_digest, size=row.recipe_size, custom=custom)


def _names(signers: Iterable[SignedBy], mode: TrustMode) -> str:
    """Who decided: with keys of their own their owners, with keys of this machine those who asked for it."""
    names = (one.name if mode is TrustMode.OFFLINE and one.name else one.by for one in signers)
    return ", ".join(dict.fromkeys(names))[:256]


def _words(by: str, reason: str) -> str:
    return f"{by}: {reason}" if reason else by
