"""Approvals: with whose keys, how many, which signatures count, and what makes them void."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lineside.contract.approval import ApprovalState
from lineside.contract.ceremony import ProposalState, Signatures
from lineside.contract.errors import LinesideError
from lineside.contract.model import Decision, ModelState, ModelVersion
from lineside.contract.trust import ApprovalStatement
from lineside.server.access.caller import acting
from lineside.server.components.approvals import statement_in
from lineside.server.models.store import by_label
from lineside.server.testing import FakeClock, make_core
from tests.server.components.office import TARGET, Office, person
from tests.server.trust.hands import Hand


@pytest.fixture
def office(tmp_path: Path, clock: FakeClock) -> Iterator[Office]:
    core = make_core(tmp_path / "root", clock)
    yield Office(core)
    core.database.close()


ANA, BO = Hand("ana"), Hand("bo")


# --- developer trust ---------------------------------------------------------------------------------------------


def test_in_developer_trust_approving_signs_model_and_code_at_once(office: Office) -> None:
    model = office.tested()
    with acting(person("ana")):
        approved = office.models.approve("tags", 1, Decision(reason="looks right"))
    assert (approved.state, approved.decided_by, approved.reason) == (ModelState.APPROVED, "ana", "looks right")
    assert approved.approval is not None
    assert (approved.approval.state, approved.approval.signed, approved.approval.needed) == (ApprovalState.SIGNED, 1, 1)
    assert [one.by for one in approved.approval.by] == ["ana"]
    signed = office.components.repository.find(TARGET)
    assert signed is not None
    statement = ApprovalStatement.from_custom(signed.custom or {})
    assert (statement.schema, statement.label, statement.digest) == ("lineside.approval/2", "tags:1", model.digest)
    assert (statement.metrics, statement.twin_report) == (model.metrics, model.twin_report)
    assert statement.started_by == "ola"
    assert approved.approval.statement == statement.content
    assert office.components.repository.find("apps/tags.inference-0.1.0.json") is not None
    assert office.audit("model.approve") == [("ana", "tags:1", model.digest, "ana: looks right")]
    assert [one[1] for one in office.audit("component.sign")] == ["tags.inference:0.1.0"]


def test_in_developer_trust_the_starter_may_approve_unless_four_eyes_are_wanted(tmp_path: Path) -> None:
    core = make_core(tmp_path / "root", FakeClock(), four_eyes="on")
    office = Office(core)
    office.tested(by="ola")
    with acting(person("ola")), pytest.raises(LinesideError, match=r"^approval\.four_eyes: ola started the run"):
        office.models.approve("tags", 1, Decision())
    assert office.model().state is ModelState.AWAITING_APPROVAL
    assert office.components.repository.find(TARGET) is None
    with acting(person("ana")):
        assert office.models.approve("tags", 1, Decision()).state is ModelState.APPROVED
    core.database.close()


# --- keys elsewhere ----------------------------------------------------------------------------------------------


def test_without_the_key_here_approving_says_where_to_sign(office: Office) -> None:
    office.offline(ANA)
    office.tested()
    with pytest.raises(LinesideError, match=r"^approval\.key_needed:") as refused:
        office.models.approve("tags", 1, Decision())
    assert refused.value.next.endswith("lineside models approve tags:1 --key FILE")
    assert not office.models.signs_here()


def test_a_signature_from_elsewhere_approves_and_is_named(office: Office) -> None:
    office.offline(ANA)
    model = office.tested()
    proposal = office.ask()
    said = statement_in(proposal)
    assert said is not None
    assert (said.digest, said.metrics, said.twin_report) == (model.digest, model.metrics, model.twin_report)
    assert office.model().approval is not None
    assert (office.model().approval.state, office.model().approval.signed) == (ApprovalState.OPEN, 0)
    assert office.give(proposal, ANA).state is ProposalState.PUBLISHED
    approved = office.model()
    assert (approved.state, approved.decided_by, approved.reason) == (ModelState.APPROVED, "ana", "good")
    assert [(one.name, one.key) for one in approved.approval.by] == [("ana", ANA.id)]
    assert office.audit("model.approve") == [("ana", "tags:1", model.digest, "ana: good")]


def test_asking_again_is_the_same_proposal_with_its_signatures(office: Office) -> None:
    office.offline(ANA, BO, threshold=2)
    office.tested()
    first = office.give(office.ask(), ANA)
    again = office.ask("bo")
    assert (again.id, again.signed) == (first.id, (1, 2))


def test_one_of_two_says_whose_and_two_of_two_approve(office: Office, clock: FakeClock) -> None:
    office.offline(ANA, BO, threshold=2)
    office.tested()
    proposal = office.give(office.ask(), ANA)
    waiting = office.model()
    assert waiting.state is ModelState.AWAITING_APPROVAL
    assert waiting.approval is not None
    assert (waiting.approval.signed, waiting.approval.needed) == (1, 2)
    assert [one.name for one in waiting.approval.by] == ["ana"]
    assert office.components.repository.find(TARGET) is None
    clock.advance(60)
    office.give(proposal, BO)
    assert (office.model().state, office.model().decided_by) == (ModelState.APPROVED, "ana, bo")


def test_the_same_key_twice_counts_once(office: Office) -> None:
    office.offline(ANA, BO, threshold=2)
    office.tested()
    proposal = office.give(office.ask(), ANA)
    assert office.give(proposal, ANA).signed == (1, 2)
    assert office.model().state is ModelState.AWAITING_APPROVAL


def test_a_key_of_nobody_and_a_signature_over_something_else_are_refused(office: Office) -> None:
    office.offline(ANA)
    office.tested(version=1)
    office.tested(version=2)
    one, two = office.ask(version=1), office.ask(version=2)
    swapped = ANA.sign(two)
    eve = Hand("eve")
    forged = Signatures(key=eve.id, signatures={"approvers": eve.signer.sign(one.files[0].text.encode()).signature})
    with pytest.raises(LinesideError, match=r"^trust\.key_not_asked:"), office.core.database.write() as session:
        office.proposals.add_signatures(session, one.id, forged)
    with pytest.raises(LinesideError, match=r"^trust\.signature_wrong:"), office.core.database.write() as session:
        office.proposals.add_signatures(session, one.id, swapped)
    assert office.model(1).state is office.model(2).state is ModelState.AWAITING_APPROVAL


# --- four eyes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("started", "brought"), [("ana", "ana"), ("ana", "somebody"), ("ola", "ola")])
def test_who_started_the_run_cannot_be_the_only_approver(office: Office, started: str, brought: str) -> None:
    """Neither with a key of that name, nor by bringing another's signature."""
    office.offline(ANA)
    office.tested(by=started)
    with pytest.raises(LinesideError, match=r"^approval\.four_eyes:"):
        office.give(office.ask(), ANA, by=brought)
    assert office.model().state is ModelState.AWAITING_APPROVAL


def test_with_two_signatures_one_may_be_the_starter_s(office: Office) -> None:
    office.offline(ANA, BO, threshold=2)
    office.tested(by="ana")
    proposal = office.give(office.ask(), ANA)
    assert proposal.signed == (1, 2)
    with pytest.raises(LinesideError, match=r"^approval\.four_eyes:"):
        office.give(proposal, BO, by="ana")
    assert office.give(proposal, BO).state is ProposalState.PUBLISHED
    assert office.model().state is ModelState.APPROVED


def test_a_lowered_threshold_does_not_make_the_starter_s_signature_enough(office: Office) -> None:
    """1 of 2 becomes 1 of 1 when the owners say so: what completes a proposal is judged like a signature."""
    office.offline(ANA, BO, threshold=2)
    office.tested(by="ana")
    proposal = office.give(office.ask(), ANA)
    lowered = office.propose(kind="threshold", role="approvers", threshold=1)
    office.sign(lowered, office.owner)
    office.proposals.settle()
    assert office.components.repository.state().role("approvers").threshold == 1
    assert office.model().state is ModelState.AWAITING_APPROVAL
    assert office.components.repository.find(TARGET) is None
    assert office.give(proposal, BO).state is ProposalState.PUBLISHED


# --- void --------------------------------------------------------------------------------------------------------


def _flip(office: Office, digest: str) -> None:
    office.file(digest).write_bytes(b"changed")


def _pack_again(office: Office, model: ModelVersion) -> None:
    with office.core.database.write() as session:
        row, _ = office.components.packaged_rows(session, model)
        row.recipe_digest = office.core.objects.put(b'{"another": "recipe"}')


def _test_again(office: Office, model: ModelVersion) -> None:
    with office.core.database.write() as session:
        by_label(session, "tags", 1).twin_report = office.core.objects.put(b'{"another": "report"}')


CHANGES = {
    "model.onnx was changed": lambda office, model: _flip(office, model.digest),
    "golden.zip was changed": lambda office, model: _flip(office, model.golden),
    "it was packed again": _pack_again,
    "the twins tested it again": _test_again,
}


@pytest.mark.parametrize("why", CHANGES)
def test_a_changed_artifact_voids_the_signatures_of_an_open_proposal(office: Office, why: str) -> None:
    office.offline(ANA, BO, threshold=2)
    model = office.tested()
    proposal = office.give(office.ask(), ANA)
    CHANGES[why](office, model)
    shown = office.model().approval
    assert shown is not None
    assert (shown.state, shown.why) == (ApprovalState.VOID, why)
    with pytest.raises(LinesideError, match=rf"^approval\.void: .*{why}"):
        office.give(proposal, BO)
    assert office.model().state is ModelState.AWAITING_APPROVAL
    assert office.components.repository.find(TARGET) is None


def test_asking_anew_after_a_change_starts_without_signatures(office: Office) -> None:
    office.offline(ANA, BO, threshold=2)
    model = office.tested()
    first = office.give(office.ask(), ANA)
    _test_again(office, model)
    again = office.ask()
    assert (again.id != first.id, again.signed) == (True, (0, 2))
    assert office.find(first.id).state is ProposalState.WITHDRAWN


def test_bytes_that_are_not_what_their_digest_says_are_laid_before_nobody(office: Office) -> None:
    office.offline(ANA)
    model = office.tested()
    _flip(office, model.digest)
    with pytest.raises(LinesideError, match=r"^approval\.void: .*model\.onnx was changed"):
        office.ask()


@pytest.mark.parametrize("why", ["model.onnx was changed", "another recipe was signed", "the twins tested it again"])
def test_an_approval_that_no_longer_matches_is_shown_as_void(office: Office, why: str) -> None:
    office.offline(ANA)
    model = office.tested()
    office.give(office.ask(), ANA)
    {"another recipe was signed": _pack_again}.get(why, CHANGES.get(why))(office, model)
    shown = office.model().approval
    assert shown is not None
    assert (shown.state, shown.why) == (ApprovalState.VOID, why)


def test_metadata_that_cannot_be_believed_voids_approvals(office: Office) -> None:
    office.tested()
    office.models.approve("tags", 1, Decision())
    file = max((office.core.root / "tuf").glob("*.approvers.json"), key=lambda path: int(path.name.split(".")[0]))
    file.write_bytes(file.read_bytes().replace(b"tags", b"bags"))
    shown = office.model().approval
    assert shown is not None
    assert (shown.state, "approvers.json" in shown.why) == (ApprovalState.VOID, True)


# --- rejecting and withdrawing -----------------------------------------------------------------------------------


def test_rejecting_ends_what_was_asked(office: Office) -> None:
    office.offline(ANA, BO, threshold=2)
    model = office.tested()
    proposal = office.give(office.ask(), ANA)
    with acting(person("bo")):
        office.models.reject("tags", 1, Decision(reason="misses dents"))
    assert office.find(proposal.id).state is ProposalState.WITHDRAWN
    assert office.audit("model.reject") == [("bo", "tags:1", model.digest, "misses dents")]
    with pytest.raises(LinesideError, match=r"^model\.not_approvable:"):
        office.ask()


def test_withdrawing_needs_a_reason_and_an_approval(office: Office) -> None:
    office.tested()
    with pytest.raises(LinesideError, match=r"^approval\.not_withdrawable: .*awaiting"):
        office.models.withdraw("tags", 1, Decision(reason="bad"))
    office.models.approve("tags", 1, Decision())
    with pytest.raises(LinesideError, match=r"^approval\.reason_missing:"):
        office.models.withdraw("tags", 1, Decision(reason=" "))


def test_withdrawing_with_keys_elsewhere_waits_for_a_signature(office: Office) -> None:
    office.offline(ANA)
    model = office.tested()
    office.give(office.ask(), ANA)
    with acting(person("bo")):
        asked = office.models.withdraw("tags", 1, Decision(reason="it misses dents"))
    assert asked.state is ModelState.APPROVED
    assert asked.approval is not None
    assert (asked.approval.withdraws, asked.approval.signed, asked.approval.needed) == (True, 0, 1)
    before = office.components.repository.state().version("approvers")
    office.give(office.find(str(asked.approval.proposal)), ANA)
    gone = office.model()
    assert (gone.state, gone.decided_by, gone.reason) == (ModelState.RETIRED, "ana", "it misses dents")
    assert office.components.repository.find(TARGET) is None
    assert office.components.repository.state().version("approvers") == before + 1
    assert office.audit("model.withdraw") == [("ana", "tags:1", model.digest, "ana: it misses dents")]


def test_what_a_kill_left_half_done_is_finished_by_asking_again(office: Office) -> None:
    """The files went out, and the power went before the database knew."""
    office.tested()
    with suppress(ZeroDivisionError), office.core.database.write() as session:
        office.approvals.approve(session, office.models.find(session, "tags", 1), Decision())
        raise ZeroDivisionError
    assert office.model().state is ModelState.AWAITING_APPROVAL
    assert office.components.repository.find(TARGET) is not None
    office.models.approve("tags", 1, Decision())
    assert office.model().state is ModelState.APPROVED
    with suppress(ZeroDivisionError), office.core.database.write() as session:
        office.approvals.withdraw(session, office.models.find(session, "tags", 1), Decision(reason="bad"))
        raise ZeroDivisionError
    assert office.model().state is ModelState.APPROVED
    assert office.models.withdraw("tags", 1, Decision(reason="bad")).state is ModelState.RETIRED


# --- components --------------------------------------------------------------------------------------------------


def test_the_code_of_a_model_waits_for_its_builders(office: Office) -> None:
    office.offline(ANA)
    model = office.tested()
    office.give(office.ask(), ANA)
    with office.core.database.write() as session:
        _, code = office.components.packaged_rows(session, model)
        assert code.target is None
        proposal = office.approvals.propose_component(session, code)
    assert proposal.kind == "component.sign"
    forged = Signatures(key=ANA.id, signatures={"builders": ANA.signer.sign(proposal.files[0].text.encode()).signature})
    with pytest.raises(LinesideError, match=r"^trust\.key_not_asked:"), office.core.database.write() as session:
        office.proposals.add_signatures(session, proposal.id, forged)
    office.give(proposal, office.builder)
    with office.core.database.read() as session:
        _, code = office.components.packaged_rows(session, model)
        assert code.target == "apps/tags.inference-0.1.0.json"
        shown = office.approvals.of_component(session, code)
    assert shown is not None
    assert (shown.state, [one.name for one in shown.by]) == (ApprovalState.SIGNED, ["bea"])
    assert [(one[0], one[1], one[2]) for one in office.audit("component.sign")] == [
        ("bea", "tags.inference:0.1.0", code.recipe_digest)
    ]
