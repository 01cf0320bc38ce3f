"""Operations of people's API that ask for signatures over models and components."""

from __future__ import annotations

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.ceremony import Proposal
from lineside.contract.model import Decision, ModelVersion


class Approvals(Calls):
    """Approving, rejecting, withdrawing; signing components."""

    def approve_model(self, name: str, version: int, decision: Decision) -> ModelVersion:
        """Approve with the keys on the control plane's machine; devices may install the model."""
        return self.connection.call("POST", path("models", name, version, "approve"), ModelVersion, body=decision)

    def propose_model(self, name: str, version: int, decision: Decision) -> Proposal:
        """What is to be signed to approve a model; see `lineside.client.judging`."""
        return self.connection.call("POST", path("models", name, version, "proposal"), Proposal, body=decision)

    def withdraw_model(self, name: str, version: int, decision: Decision) -> ModelVersion:
        """Take an approval back, with a reason; `approval.proposal` is to be signed where the keys lie elsewhere."""
        return self.connection.call("POST", path("models", name, version, "withdraw"), ModelVersion, body=decision)

    def reject_model(self, name: str, version: int, decision: Decision) -> ModelVersion:
        """Reject, with a reason."""
        return self.connection.call("POST", path("models", name, version, "reject"), ModelVersion, body=decision)

    def propose_component(self, name: str, version: str) -> Proposal:
        """What is to be signed to release a component."""
        return self.connection.call("POST", path("components", name, version, "proposal"), Proposal)
