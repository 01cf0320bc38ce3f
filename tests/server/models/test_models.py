"""Model versions: registered once by content, moved by the table, approved only when signing worked."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import Any

import msgspec
import pytest
from sqlalchemy.orm import Session

from lineside.client import Client
from lineside.contract.approval import Approval
from lineside.contract.ceremony import Proposal
from lineside.contract.errors import LinesideError
from lineside.contract.gate import CostRule
from lineside.contract.ids import digest_of
from lineside.contract.model import (
    MODEL_MOVES,
    Decision,
    GateResult,
    ImportModel,
    Lineage,
    Metrics,
    ModelState,
    ModelVersion,
    RegisterModel,
    Signature,
    Variant,
)
from lineside.contract.run import RunState
from lineside.server.access.caller import Caller, acting, current
from lineside.server.datasets.service import DatasetsService
from lineside.server.models.service import ModelsService
from lineside.server.models.store import Filter, ModelRow
from lineside.server.runs.service import RunsService
from lineside.server.services import Core
from lineside.server.testing import FakeClock, Running

ADA = Caller(name="ada", by="session")
FILE = b"model file"
PASSED = GateResult(name="map", level="BLOCK", passed=True, value=0.5, limit=0.4, sentence="mAP is 0.50.")
STOPPED = GateResult(name="map", level="BLOCK", passed=False, value=0.3, limit=0.4, sentence="mAP is 0.30, under 0.40.")
WARNED = GateResult(name="drop", level="WARN", passed=False, value=0.3, limit=0.4, sentence="It fell.")
METRICS = {"test": Metrics(map50=0.8, map=0.5, images=42, boxes=90)}


def variant(**fields: Any) -> Variant:
    values = {"name": "int8", "digest": digest_of(FILE), "size": len(FILE), "metrics": METRICS, "chosen": True}
    return Variant(**values | fields)


def registration(**fields: Any) -> RegisterModel:
    lineage = Lineage(
        dataset="ds-1", dataset_digest="d", split_by="given", run="run-1", trainer="compact", init=None,
        parameters={"epochs": 3}, seed=0, code_version="1",
    )  # fmt: skip
    values: dict[str, Any] = {
        "name": "tags",
        "signature": Signature(head="compact", input_width=320, input_height=320, labels=("dent",)),
        "variants": (variant(),),
        "gates": (PASSED,),
        "lineage": lineage,
        "golden": digest_of(b"golden"),
    }
    return RegisterModel(**values | fields)


def with_lineage(**fields: Any) -> RegisterModel:
    return registration(lineage=msgspec.structs.replace(registration().lineage, **fields))


def fill(core: Core) -> None:
    for data in (FILE, b"golden", b"other"):
        core.objects.put(data)


@pytest.fixture
def models(core: Core) -> ModelsService:
    fill(core)
    return ModelsService(core, RunsService(core, DatasetsService(core)))


def moved(core: Core, models: ModelsService, *states: ModelState, **fields: Any) -> ModelVersion:
    model = models.register(registration())
    for state in states:
        with core.database.write() as session:
            model = models.move(session, model.name, model.version, state, "as it goes", **fields)
    return model


class Approver:
    """Signs nothing, and calls it approved."""

    def __init__(self, models: ModelsService) -> None:
        self.models = models

    def signs_here(self) -> bool:
        return True

    def approve(self, session: Session, model: ModelVersion, decision: Decision) -> None:
        self.models.approved(session, model, current().name, decision.reason)

    def propose(self, session: Session, model: ModelVersion, decision: Decision) -> Proposal:
        raise NotImplementedError

    def withdraw(self, session: Session, model: ModelVersion, decision: Decision) -> None:
        self.models.withdrawn(session, model, current().name, decision.reason)

    def rejected(self, session: Session, model: ModelVersion, why: str) -> None:
        pass

    def of_model(self, session: Session, model: ModelVersion) -> Approval | None:
        return None


TO_APPROVAL = (ModelState.IN_TWIN, ModelState.AWAITING_APPROVAL)


def test_registering_the_same_again_is_the_same_version(models: ModelsService) -> None:
    first = models.register(registration())
    later = models.register(with_lineage(run="run-2", seed=0, code_version="2"))
    assert first == later
    assert (first.label, first.state, first.digest, first.metrics) == (
        "tags:1", ModelState.CANDIDATE, digest_of(FILE), METRICS,
    )  # fmt: skip
    assert models.page(Filter()).models == (first,)
    assert [move.wanted for move in models.history("tags", 1)] == ["candidate"]


@pytest.mark.parametrize(
    "other",
    [
        registration(signature=msgspec.structs.replace(registration().signature, input_width=416)),
        registration(variants=(variant(digest=digest_of(b"other"), size=5),)),
        with_lineage(dataset="ds-2"),
        with_lineage(trainer="yolox"),
        with_lineage(parameters={"epochs": 4}),
    ],
)
def test_other_content_is_the_next_version(models: ModelsService, other: RegisterModel) -> None:
    assert models.register(registration()).version == 1
    assert models.register(other).version == 2


def test_each_name_counts_from_one(models: ModelsService) -> None:
    assert models.register(registration()).version == models.register(registration(name="other")).version == 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (registration(variants=()), "0 of its variants"),
        (registration(variants=(variant(), variant(name="fp32"))), "2 of its variants"),
        (registration(variants=(variant(chosen=False),)), "0 of its variants"),
        (registration(variants=(variant(metrics={}),)), "no metrics"),
        (registration(variants=(variant(size=3),)), "3 bytes"),
        (registration(variants=(variant(digest=digest_of(b"never")),)), "was not sent"),
        (registration(golden=digest_of(b"never")), "golden set"),
        (registration(golden="../x"), "golden set"),
        (registration(predictions=digest_of(b"never")), "predictions"),
        (registration(evaluation=digest_of(b"never")), "evaluation"),
    ],
)
def test_a_model_that_is_not_complete_is_refused(models: ModelsService, wrong: RegisterModel, says: str) -> None:
    with pytest.raises(LinesideError, match=r"^model.incomplete:") as caught:
        models.register(wrong)
    assert says in caught.value.message
    assert models.page(Filter()).models == ()


def test_a_model_without_dataset_needs_no_metrics(models: ModelsService) -> None:
    lineage = msgspec.structs.replace(registration().lineage, dataset=None)
    model = models.register(registration(variants=(variant(metrics={}),), gates=(), lineage=lineage))
    assert model.state is ModelState.CANDIDATE


@pytest.mark.parametrize(
    ("gates", "state"),
    [
        ((PASSED, WARNED), ModelState.CANDIDATE),
        ((PASSED, STOPPED), ModelState.GATED_OUT),
    ],
)
def test_a_block_gate_keeps_a_model_out(models: ModelsService, gates: Any, state: ModelState) -> None:
    assert models.register(registration(gates=gates)).state is state


@pytest.mark.parametrize("current", list(ModelState))
@pytest.mark.parametrize("wanted", list(ModelState))
def test_only_moves_of_the_table_are_made(
    core: Core, models: ModelsService, current: ModelState, wanted: ModelState
) -> None:
    from sqlalchemy import update

    models.register(registration())
    with core.database.write() as session:
        session.execute(update(ModelRow).values(state=current.value))
    allowed = wanted in MODEL_MOVES[current]
    outcome = nullcontext() if allowed else pytest.raises(LinesideError, match=r"^state.illegal_move:")
    with outcome, core.database.write() as session:
        assert models.move(session, "tags", 1, wanted, "test").state is wanted
    assert models.get("tags", 1).state is (wanted if allowed else current)
    with core.database.read() as session:
        told = core.events.page(session, before=None, kind=f"model.{wanted.value}", limit=9).events
    assert [one.message for one in told if one.message.endswith(": test.")] == [
        f"tags:1 is {wanted.value.replace('_', ' ')}: test."
    ] * allowed


def test_a_move_writes_history_event_and_fields_together(core: Core, models: ModelsService) -> None:
    model = moved(core, models, ModelState.IN_TWIN, twin_rollout="rollout-7")
    assert (model.state, model.twin_rollout) == (ModelState.IN_TWIN, "rollout-7")
    assert model == models.get("tags", 1)
    assert [(move.current, move.wanted) for move in models.history("tags", 1)] == [
        ("", "candidate"),
        ("candidate", "in_twin"),
    ]
    with core.database.read() as session:
        assert core.events.page(session, before=None, kind="model.in_twin", limit=9).total == 1
    with suppress(ZeroDivisionError), core.database.write() as session:
        models.move(session, "tags", 1, ModelState.AWAITING_APPROVAL, "undone")
        raise ZeroDivisionError
    assert models.get("tags", 1).state is ModelState.IN_TWIN
    assert len(models.history("tags", 1)) == 2


def test_approving_signs_first(core: Core, models: ModelsService, clock: FakeClock) -> None:
    moved(core, models, *TO_APPROVAL)
    signed: list[tuple[ModelState, str]] = []

    class Signing(Approver):
        def approve(self, session: Session, model: ModelVersion, decision: Decision) -> None:
            signed.append((models.find(session, model.name, model.version).state, decision.reason))
            super().approve(session, model, decision)

    models.approver = Signing(models)
    clock.advance(60)
    with acting(ADA):
        approved = models.approve("tags", 1, Decision(reason="looks right"))
    assert signed == [(ModelState.AWAITING_APPROVAL, "looks right")]
    assert (approved.state, approved.decided_by, approved.reason) == (ModelState.APPROVED, "ada", "looks right")
    assert approved.decided_at is not None
    assert models.approve("tags", 1, Decision(reason="me too")) == approved  # nothing left to do
    assert len(signed) == 1


@pytest.mark.parametrize("failure", [LinesideError("access.key_damaged", file="x", why="y"), OSError("disk full")])
def test_a_failing_signature_leaves_the_model_as_it_was(core: Core, models: ModelsService, failure: Exception) -> None:
    before = moved(core, models, *TO_APPROVAL)

    class Failing(Approver):
        def approve(self, session: Session, model: ModelVersion, decision: Decision) -> None:
            super().approve(session, model, decision)
            raise failure

    models.approver = Failing(models)
    with pytest.raises(type(failure)):
        models.approve("tags", 1, Decision())
    assert models.get("tags", 1) == before


@pytest.mark.parametrize(
    ("states", "gates", "says"),
    [
        ((), (PASSED,), "twin test is not done"),
        ((), (STOPPED,), "mAP is 0.30, under 0.40"),
        ((ModelState.IN_TWIN,), (PASSED,), "twin test is not done"),
        ((ModelState.IN_TWIN, ModelState.TWIN_FAILED), (PASSED,), "could not make it work"),
        ((ModelState.REJECTED,), (PASSED,), "rejected"),
    ],
)
def test_what_cannot_be_approved_says_why(
    core: Core, models: ModelsService, states: Any, gates: Any, says: str
) -> None:
    models.register(registration(gates=gates))
    for state in states:
        with core.database.write() as session:
            models.move(session, "tags", 1, state, "x")
    before = models.get("tags", 1)
    with pytest.raises(LinesideError, match=r"^model.not_approvable:") as caught:
        models.approve("tags", 1, Decision())
    assert says in caught.value.message
    assert models.get("tags", 1) == before
    with core.database.read() as session:
        events = core.events.page(session, before=None, kind="model.approval_refused", limit=9).events
    assert [event.error.code for event in events if event.error] == ["model.not_approvable"]


def test_rejecting_needs_a_reason(core: Core, models: ModelsService) -> None:
    moved(core, models, *TO_APPROVAL)
    with pytest.raises(LinesideError, match=r"^model.reason_missing:"):
        models.reject("tags", 1, Decision(reason="  "))
    with acting(ADA):
        model = models.reject("tags", 1, Decision(reason="misses small dents"))
    assert (model.state, model.decided_by, model.reason) == (ModelState.REJECTED, "ada", "misses small dents")
    assert models.history("tags", 1)[-1].why == "misses small dents"


def test_the_whole_way_over_http(lineside: Running) -> None:
    fill(lineside.core)
    client = Client(lineside.people_url)
    model = client.register_model(registration())
    assert client.models() == [model] == [client.model("tags", 1)]
    with pytest.raises(LinesideError, match=r"^model.not_approvable:"):
        client.approve_model("tags", 1, Decision())
    with pytest.raises(LinesideError, match=r"^model.reason_missing:"):
        client.reject_model("tags", 1, Decision())
    assert client.reject_model("tags", 1, Decision(reason="no")).state is ModelState.REJECTED
    for version in (2, 10**30):
        with pytest.raises(LinesideError, match=r"^request\."):
            client.model("tags", version)


def test_importing_queues_a_run(lineside: Running) -> None:
    fill(lineside.core)
    client = Client(lineside.people_url)
    run = client.import_model(ImportModel(name="people", file=digest_of(FILE), head="yolox", labels=("person", "tv")))
    assert (run.state, run.request.kind, run.request.init) == (RunState.QUEUED, "import", digest_of(FILE))
    assert run.request.parameters == {"head": "yolox", "labels": ["person", "tv"]}
    fed = ImportModel(name="people", file=digest_of(FILE), head="ssd", labels=("person",), feed={"scale": 1.0})
    assert client.import_model(fed).request.parameters["feed"] == {"scale": 1.0}
    with pytest.raises(LinesideError, match=r"^request.not_found:"):
        client.import_model(ImportModel(name="people", file=digest_of(b"never"), head="yolox", labels=("a",)))
    with pytest.raises(LinesideError, match=r"^run.request_incomplete:.* val pictures"):
        client.import_model(msgspec.structs.replace(fed, cost=CostRule(missed=5.0)))
