"""A model's page and API while people with keys elsewhere decide about it: over HTTP, as they see it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lineside.client import Client
from lineside.contract.errors import LinesideError
from lineside.contract.model import Decision, ModelState
from lineside.contract.people import PERMISSIONS, Role
from lineside.server.access.caller import Caller
from lineside.server.access.testing import Listed
from lineside.server.testing import FakeClock, Running, running
from tests.server.components.office import Office
from tests.server.trust.hands import Hand

ANA, BO = Hand("ana"), Hand("bo")
PAGE = "/models/tags/1"


def _caller(name: str, *roles: Role) -> Caller:
    return Caller(name=name, by="token", roles=roles, permissions=frozenset().union(*(PERMISSIONS[r] for r in roles)))


PEOPLE = {
    "ana": _caller("ana", Role.APPROVER),
    "bo": _caller("bo", Role.APPROVER),
    "ola": _caller("ola", Role.OPERATOR),
}


@pytest.fixture
def lineside(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "root", FakeClock(), doorkeeper=Listed(PEOPLE)) as up:
        yield up


@pytest.fixture
def office(lineside: Running) -> Office:
    return Office(lineside.core)


def client(lineside: Running, who: str) -> Client:
    return Client(lineside.people_url, who)


def page(lineside: Running, who: str = "ana", path: str = PAGE) -> str:
    answer = httpx.get(lineside.people_url + path, headers={"Authorization": f"Bearer {who}"})
    assert answer.status_code == 200, answer.text
    return answer.text


def test_in_developer_trust_an_approver_has_a_button_and_an_operator_has_none(
    lineside: Running, office: Office
) -> None:
    office.tested()
    assert "Approve and sign" in page(lineside, "ana")
    assert "Approve and sign" not in page(lineside, "ola")
    with pytest.raises(LinesideError, match=r"^auth\.forbidden:"):
        client(lineside, "ola").approve_model("tags", 1, Decision())
    approved = client(lineside, "ana").approve_model("tags", 1, Decision(reason="fine"))
    assert (approved.state, approved.decided_by) == (ModelState.APPROVED, "ana")
    assert "Approved by ana" in page(lineside)


def test_with_keys_elsewhere_the_page_says_how_far_it_is_and_what_to_do(lineside: Running, office: Office) -> None:
    office.offline(ANA, BO, threshold=2)
    model = office.tested()
    assert "lineside models approve tags:1 --key FILE" in page(lineside)
    assert "Approve and sign" not in page(lineside)
    ana, bo = client(lineside, "ana"), client(lineside, "bo")
    proposal = ana.propose_model("tags", 1, Decision(reason="fine"))
    ana.add_signatures(proposal.id, ANA.sign(proposal))
    assert "1 of 2" in page(lineside)
    assert ANA.id[:12] in page(lineside)
    assert bo.model("tags", 1).state is ModelState.AWAITING_APPROVAL
    bo.add_signatures(proposal.id, BO.sign(proposal))
    assert bo.model("tags", 1).state is ModelState.APPROVED
    shown = page(lineside)
    assert "2 of 2" in shown
    assert BO.id[:12] in shown
    assert "lineside models withdraw tags:1" in shown
    office.file(model.digest).write_bytes(b"changed")
    shown = page(lineside)
    assert '<span class="tag bad">void</span>' in shown
    assert "Model.onnx was changed" in shown


def test_a_component_s_page_says_who_must_sign_and_who_did(lineside: Running, office: Office) -> None:
    office.offline(ANA)
    office.tested()
    path = "/components/tags.inference/0.1.0"
    assert "lineside components sign tags.inference 0.1.0 --key FILE" in page(lineside, path=path)
    proposal = client(lineside, "ola").propose_component("tags.inference", "0.1.0")
    client(lineside, "ana").add_signatures(proposal.id, office.builder.sign(proposal))
    shown = page(lineside, path=path)
    assert "1 of 1" in shown
    assert "bea" in shown
    again = client(lineside, "ola").propose_component("tags.inference", "0.1.0")
    assert again.id == proposal.id


def test_rejecting_and_withdrawing_over_http(lineside: Running, office: Office) -> None:
    office.offline(ANA)
    office.tested(version=1)
    office.tested(version=2)
    ana = client(lineside, "ana")
    with pytest.raises(LinesideError, match=r"^model\.reason_missing:"):
        ana.reject_model("tags", 1, Decision())
    rejected = ana.reject_model("tags", 1, Decision(reason="no"))
    assert (rejected.state, rejected.decided_by) == (ModelState.REJECTED, "ana")
    proposal = ana.propose_model("tags", 2, Decision())
    ana.add_signatures(proposal.id, ANA.sign(proposal))
    asked = ana.withdraw_model("tags", 2, Decision(reason="misses dents"))
    assert asked.approval is not None
    assert asked.approval.withdraws
    assert "to take it back" in page(lineside, path="/models/tags/2")
    going = ana.proposal(str(asked.approval.proposal))
    ana.add_signatures(going.id, ANA.sign(going))
    gone = ana.model("tags", 2)
    assert (gone.state, gone.reason, gone.approval) == (ModelState.RETIRED, "misses dents", None)
    assert "Withdrawn by ana" in page(lineside, path="/models/tags/2")
