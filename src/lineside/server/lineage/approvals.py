"""Who approved: read from the signed metadata that devices are given, and verified again; the tables only add when each
signature arrived and who was signed in then."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.ceremony import KEY_NAME, ProposalState
from lineside.contract.component import ComponentKind
from lineside.contract.lineage import LineageApproval, LineageSignature
from lineside.contract.model import ModelVersion
from lineside.contract.trust import ApprovalStatement
from lineside.server.adapters.tuf import Repository
from lineside.server.adapters.tuf.metadata import role_of
from lineside.server.adapters.tuf.state import State
from lineside.server.components.approvals import APPROVE
from lineside.server.components.store import ComponentRow
from lineside.server.trust.keys import HERE
from lineside.server.trust.service import Proposals


class SignedApprovals:
    """Approvals of models as the repository has them."""

    def __init__(self, repository: Repository, proposals: Proposals) -> None:
        self._repository, self._proposals = repository, proposals

    def find(self, session: Session, model: ModelVersion, rows: Iterable[ComponentRow]) -> LineageApproval | None:
        """The signed target of a component that brings the model's file; None when none is signed for the fleet.

        Raises `trust.metadata_damaged` when the metadata does not verify.
        """
        state = self._repository.state()
        for row in rows:
            if row.kind != ComponentKind.MODEL.value or row.target is None or row.model != model.label:
                continue
            role = role_of(row.target)
            target = state.roles[role].signed.targets.get(row.target)
            if target is None or target.hashes.get("sha256") != row.recipe_digest.removeprefix("sha256:"):
                continue
            return LineageApproval(
                role=role,
                target=row.target,
                metadata_version=state.version(role),
                threshold=state.role(role).threshold,
                signatures=self._signatures(session, model, role, state),
                statement=_statement(target.custom),
                decided_by=model.decided_by,
                decided_at=model.decided_at,
                reason=model.reason,
            )
        return None

    def _signatures(
        self, session: Session, model: ModelVersion, role: str, state: State
    ) -> tuple[LineageSignature, ...]:
        """Keys whose signatures over the role's metadata verify now, and those that signed this very approval."""
        metadata = state.roles[role]
        checked = state.targets.signed.get_verification_result(role, metadata.signed_bytes, metadata.signatures)
        approved = self._proposals.about(session, APPROVE, model.label, ProposalState.PUBLISHED)
        arrived = self._proposals.signers(session, approved[0].id) if approved else []
        found = {
            one.key: LineageSignature(key=one.key, name=one.name, by=one.by, at=one.at)
            for one in arrived
            if one.role == role
        }
        for keyid, key in checked.signed.items():
            known = found.get(keyid, LineageSignature(key=keyid, name=str(key.unrecognized_fields.get(KEY_NAME, ""))))
            found[keyid] = msgspec.structs.replace(known, verified=True)
        here = self._repository.here(role)
        return tuple(
            msgspec.structs.replace(one, name=HERE) if one.key in here and not one.name else one
            for one in found.values()
        )


def _statement(custom: dict[str, object] | None) -> ApprovalStatement | None:
    try:
        return ApprovalStatement.from_custom(custom) if custom else None
    except msgspec.ValidationError:
        return None
