"""Runs of kind `import`: a model made elsewhere is checked by running it before anything is registered."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from lineside.contract.model import ModelState
from lineside.contract.run import Run, RunRequest, RunState, StepState
from lineside.pipeline.testing import MemoryControl
from tests.pipeline.conftest import PLUGIN, Workplace

sys.path.append(str(PLUGIN))
from speck_trainer import speck_model  # the plug-in is no part of the package


def send_model(control: MemoryControl) -> str:
    return control.add_blob(speck_model(1).SerializeToString())


def import_run(office: Workplace, init: str, dataset: str | None = None, **claim: Any) -> Run:
    parameters = {"head": "yolox", "labels": ["square"]} | claim
    request = RunRequest(kind="import", model=office.model, init=init, dataset=dataset, parameters=parameters)
    return office.do(request)


def test_a_model_comes_in_without_a_dataset(office: Workplace) -> None:
    digest = send_model(office.control)
    run = import_run(office, digest)
    assert run.state is RunState.SUCCEEDED
    skipped = [step.name for step in run.steps if step.state is StepState.SKIPPED]
    assert skipped == ["collect", "evaluate", "optimize"]
    (model,) = office.models()
    assert (model.digest, model.variant, model.state) == (digest, "fp32", ModelState.CANDIDATE)
    assert (model.signature.input_width, model.signature.channels, model.signature.scale) == (64, "bgr", 1.0)
    assert [(gate.name, gate.passed) for gate in model.gates] == [("scored", False)]
    assert (model.baseline, model.lineage.dataset, model.lineage.init) == (None, None, digest)
    assert model.golden in office.control.blobs
    assert "without a dataset" in model.variants[0].reason


def test_with_a_dataset_it_is_scored_and_goes_down_the_same_ladder(office: Workplace) -> None:
    dataset = office.dataset()
    digest = send_model(office.control)
    run = import_run(office, digest, dataset.id)
    assert run.state is RunState.SUCCEEDED
    (model,) = office.models()
    assert model.metrics["test"].map50 == pytest.approx(1.0)
    variants = {one.name: one for one in model.variants}
    assert list(variants) == ["fp32", "fp16", "int8"]
    assert variants["fp32"].digest == digest
    train = tuple(one.digest for one in office.control.dataset_images(dataset.id, split="train").images)
    assert variants["int8"].calibration == train
    assert all(one.reason and one.golden and one.timing for one in variants.values())


def test_importing_it_again_is_the_same_version(office: Workplace) -> None:
    digest = send_model(office.control)
    import_run(office, digest)
    assert import_run(office, digest).model_version == 1
    assert len(office.models()) == 1


@pytest.mark.parametrize(
    ("claim", "code", "words"),
    [
        ({"labels": ["square", "disc"]}, "model.shape_unknown", ["6", "7"]),
        ({"head": "compact"}, "model.shape_unknown", ["5", "6"]),
        ({"head": "mystery"}, "model.head_unknown", ["mystery", "yolox"]),
        ({"labels": 3}, "run.request_incomplete", ["labels"]),
    ],
)
def test_a_false_claim_is_refused_with_what_was_seen(
    office: Workplace, claim: dict[str, Any], code: str, words: list[str]
) -> None:
    run = import_run(office, send_model(office.control), **claim)
    assert run.error is not None
    assert (run.state, run.error.code) == (RunState.FAILED, code)
    assert all(word in run.error.message for word in words)
    assert office.models() == []


def test_bytes_that_are_no_model_are_refused(office: Workplace) -> None:
    run = import_run(office, office.control.add_blob(b"not a model"))
    assert run.error is not None
    assert run.error.code == "model.unreadable"


def test_a_dataset_of_other_things_is_refused(office: Workplace) -> None:
    dataset = office.dataset()
    run = import_run(office, send_model(office.control), dataset.id, labels=["cat"])
    assert run.error is not None
    assert run.error.code == "check.no_common_label"


@pytest.mark.real_data
def test_the_published_yolox_nano_comes_in(office: Workplace, yolox_nano: Path) -> None:
    labels = (yolox_nano.parent / "coco_classes.txt").read_text().split("\n")
    digest = office.control.add_blob(yolox_nano.read_bytes())
    run = import_run(office, digest, labels=[label for label in labels if label])
    assert run.state is RunState.SUCCEEDED
    assert office.models()[0].signature.input_width == 416
