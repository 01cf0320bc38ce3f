"""Operations of people's API about keys, proposals and signatures."""

from __future__ import annotations

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.ceremony import (
    Proposal,
    ProposalState,
    ProposeChange,
    Signatures,
    TrustView,
    Withdrawal,
)


class Trust(Calls):
    """Keys, proposals and signatures. What is signed is checked first: see `lineside.client.signing`."""

    def trust(self) -> TrustView:
        """Roles, keys, thresholds, and where the keys lie."""
        return self.connection.call("GET", "/trust", TrustView)

    def proposals(self, state: ProposalState | None = None, *, limit: int = 100) -> list[Proposal]:
        """Changes of signed metadata, newest first; all of them, or those in one state."""
        query = {"state": state.value if state else None, "limit": limit}
        return self.connection.call("GET", "/trust/proposals", list[Proposal], query=query)

    def proposal(self, proposal: str) -> Proposal:
        """One proposal with the bytes to be signed."""
        return self.connection.call("GET", path("trust", "proposals", proposal), Proposal)

    def propose_change(self, change: ProposeChange) -> Proposal:
        """Propose a change of keys."""
        return self.connection.call("POST", "/trust/proposals", Proposal, body=change)

    def add_signatures(self, proposal: str, signatures: Signatures) -> Proposal:
        """Add one key's signatures; the last one that is needed publishes the proposal."""
        where = path("trust", "proposals", proposal, "signatures")
        return self.connection.call("POST", where, Proposal, body=signatures)

    def withdraw_proposal(self, proposal: str, why: str = "") -> Proposal:
        """Take a proposal back."""
        where = path("trust", "proposals", proposal, "withdraw")
        return self.connection.call("POST", where, Proposal, body=Withdrawal(why=why))

    def trust_metadata(self, name: str) -> bytes:
        """A TUF metadata file as devices get it: `timestamp.json`, `3.root.json`."""
        return self.connection.send("GET", path("trust", "metadata", name))
