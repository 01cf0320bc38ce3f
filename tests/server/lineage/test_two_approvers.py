"""When two must sign, lineage names both: whose key, who brought it, and that it verifies now."""

from __future__ import annotations

from pathlib import Path

from lineside.contract.ceremony import ProposalState, ProposeChange
from lineside.contract.model import Decision
from lineside.server.testing import running
from tests.pages.story import House
from tests.server.trust.hands import Hand


def test_both_signatures_are_there(tmp_path: Path) -> None:
    ada = Hand("Ada")
    with running(tmp_path / "root", soak_seconds=0.0) as lineside:
        house = House(lineside, tmp_path / "plates")
        client = house.client
        client.propose_change(ProposeChange(kind="key.add", role="approvers", public=ada.public, name=ada.name))
        client.propose_change(ProposeChange(kind="threshold", role="approvers", threshold=2))
        (threshold,) = client.proposals(ProposalState.OPEN)
        client.add_signatures(threshold.id, ada.sign(threshold))
        proposal = client.propose_model("plates", 1, Decision(reason="fine"))
        client.add_signatures(proposal.id, ada.sign(proposal))
        for one in client.components():
            if one.target is None:
                client.propose_component(one.name, one.version)  # its builders' key lies here
        house.see(house.deploy())
        found = client.lineage(1)
    assert found.gaps == ()
    assert found.approval is not None
    assert found.approval.threshold == 2
    signed = {(one.name, one.by, one.verified) for one in found.approval.signatures}
    assert signed == {("this control plane", "tester", True), ("Ada", "tester", True)}
    assert {one.key for one in found.approval.signatures} >= {ada.id}
