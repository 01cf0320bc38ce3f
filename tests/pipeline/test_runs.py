"""Whole runs by a real worker process against a control plane over HTTP."""

from __future__ import annotations

import io
import zipfile

import msgspec
import pytest

from lineside.contract.dataset import Split
from lineside.contract.drift import BASELINE_SCHEMA
from lineside.contract.model import ModelState, Predictions
from lineside.contract.run import RunState, StepState
from tests.pipeline.conftest import Workplace, states


def test_a_run_ends_in_a_model_version(office: Workplace) -> None:
    dataset = office.dataset()
    run = office.do(office.request(dataset))
    assert (run.state, run.model_version, run.error) == (RunState.SUCCEEDED, 1, None)
    assert set(states(run).values()) == {StepState.DONE}
    (model,) = office.models()
    assert model.state is ModelState.CANDIDATE
    assert model.metrics["test"].map50 == pytest.approx(1.0)
    assert (model.metrics["test"].images, model.metrics["val"].images) == (5, 3)
    assert [variant.name for variant in model.variants] == ["fp32", "fp16", "int8"]
    assert all(variant.reason and variant.latency_ms for variant in model.variants)
    lineage = model.lineage
    assert (lineage.dataset, lineage.run, lineage.trainer) == (dataset.id, run.id, "speck")
    assert lineage.parameters["epochs"] == 3
    assert office.control.curves[run.id] == {
        **{("loss", epoch): pytest.approx(1 / epoch) for epoch in (1, 2, 3)},
        **{("val_map50", epoch): pytest.approx(epoch / 3) for epoch in (1, 2, 3)},
    }


def test_a_model_version_brings_its_evidence(office: Workplace) -> None:
    office.do(office.request())
    (model,) = office.models()
    blobs = office.control.blobs
    with zipfile.ZipFile(io.BytesIO(blobs[model.golden])) as golden:
        assert "golden.json" in golden.namelist()
        assert 4 <= len(golden.namelist()) <= 5
    assert model.baseline is not None
    assert model.baseline.images == 5
    assert model.baseline.schema == BASELINE_SCHEMA
    assert model.baseline.sketches["brightness"].count == 5
    assert model.predictions is not None
    shown = msgspec.json.decode(blobs[model.predictions], type=Predictions).images
    assert len(shown) == 5
    assert all(len(picture.truth) == len(picture.detections) == 2 for picture in shown)


def test_the_same_run_again_touches_no_trainer_and_ends_at_the_same_version(office: Workplace) -> None:
    request = office.request()
    first = office.do(request)
    sent, fetched, epochs = dict(office.control.blobs), list(office.control.fetched), office.epochs()
    again = office.do(request)
    assert set(states(again).values()) == {StepState.CACHED}
    assert (again.state, again.model_version) == (RunState.SUCCEEDED, 1)
    assert len(office.models()) == 1
    assert office.epochs() == epochs == ["epoch 1", "epoch 2", "epoch 3"]
    assert (office.control.blobs, office.control.fetched) == (sent, fetched)
    assert office.control.curves[again.id] == office.control.curves[first.id]


def test_another_limit_judges_again_and_trains_nothing(office: Workplace) -> None:
    office.do(office.request())
    stricter = office.do(office.request(min_test_images=6))
    assert stricter.state is RunState.GATED
    assert {name for name, state in states(stricter).items() if state is StepState.DONE} == {"register"}
    assert len(office.epochs()) == 3


def test_below_the_gate_the_run_is_rejected_and_says_by_how_much(office: Workplace) -> None:
    run = office.do(office.request(blind=True))
    assert (run.state, run.model_version) == (RunState.GATED, 1)
    gate = next(gate for gate in run.gates if gate.name == "minimum_map")
    assert (gate.level, gate.passed, gate.value, gate.limit) == ("BLOCK", False, 0.0, 0.40)
    assert office.models()[0].state is ModelState.GATED_OUT


def test_a_split_that_leaks_is_refused(office: Workplace) -> None:
    run = office.do(office.request(office.dataset(groups={0: "tag", 11: "tag"})))
    assert run.state is RunState.FAILED
    assert run.error is not None
    assert (run.error.code, run.error.params["group"]) == ("split.leak", "tag")
    assert states(run)["split"] is StepState.FAILED
    assert states(run)["train"] is StepState.WAITING


def test_a_split_without_test_pictures_is_refused(office: Workplace) -> None:
    run = office.do(office.request(office.dataset((Split.TRAIN,) * 3)))
    assert run.error is not None
    assert (run.error.code, run.error.params["split"]) == ("split.empty", "test")


def test_without_val_pictures_fp32_ships(office: Workplace) -> None:
    run = office.do(office.request(office.dataset((Split.TRAIN,) * 3 + (Split.TEST,) * 5)))
    assert run.state is RunState.SUCCEEDED
    (model,) = office.models()
    assert (model.variant, list(model.metrics)) == ("fp32", ["test"])


def test_a_step_that_breaks_fails_the_run_and_nothing_is_registered(office: Workplace) -> None:
    run = office.do(office.request(broken=2))
    assert run.state is RunState.FAILED
    assert run.error is not None
    assert (run.error.code, run.error.params["step"]) == ("run.step_failed", "train")
    assert "the loss is not a number" in run.error.message
    assert office.models() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"trainer": "no-such"}, "training.trainer_unknown"),
        ({"parameters": {"epoch": 3}}, "training.parameter_unknown"),
        ({"parameters": {"min_map": "high"}}, "training.parameter_invalid"),
        ({"dataset": None}, "run.request_incomplete"),
        ({"dataset": "ds-000000000000"}, "request.not_found"),
        ({"kind": "dream"}, "run.kind_unknown"),
    ],
)
def test_a_request_that_makes_no_sense_fails_by_its_name(
    office: Workplace, changes: dict[str, object], code: str
) -> None:
    run = office.do(msgspec.structs.replace(office.request(), **changes))
    assert run.error is not None
    assert (run.state, run.error.code) == (RunState.FAILED, code)
    assert office.epochs() == []
