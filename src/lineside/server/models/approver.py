"""The port through which models are signed: the components room knows what approving is."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy.orm import Session

from lineside.contract.approval import Approval
from lineside.contract.ceremony import Proposal
from lineside.contract.model import Decision, ModelVersion


class Approver(Protocol):
    """Who has models signed. All but `signs_here` take part in the caller's transaction."""

    def signs_here(self) -> bool:
        """Whether the keys that approve models lie on this machine."""
        ...

    def approve(self, session: Session, model: ModelVersion, decision: Decision) -> None:
        """Sign a model with the keys of this machine. Raises `approval.…`."""
        ...

    def propose(self, session: Session, model: ModelVersion, decision: Decision) -> Proposal:
        """What is to be signed where the keys are. Raises `approval.…`, `model.not_approvable`."""
        ...

    def withdraw(self, session: Session, model: ModelVersion, decision: Decision) -> None:
        """Take an approval back, or ask those who have the keys to. Raises `approval.…`."""
        ...

    def rejected(self, session: Session, model: ModelVersion, why: str) -> None:
        """Nobody is to be asked about this model any more."""
        ...

    def of_model(self, session: Session, model: ModelVersion) -> Approval | None:
        """How far a model's approval is, and whether it still holds."""
        ...
