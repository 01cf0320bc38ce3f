"""A whole run that is held against the champion, and one that scores a registered version, by a real worker."""

from __future__ import annotations

import msgspec
import pytest

from lineside.contract.dataset import Split
from lineside.contract.evaluation import Evaluation
from lineside.contract.gate import CostRule
from lineside.contract.model import ModelState
from lineside.contract.run import RunRequest, RunState
from lineside.pipeline.steps import score
from tests.pipeline.conftest import Workplace

SIDES = (Split.TRAIN,) * 2 + (Split.VAL,) * 3 + (Split.TEST,) * 6


def test_a_run_that_falls_behind_the_champion_is_not_green(office: Workplace) -> None:
    """It would pass the gate on its score, which asks for nothing here; the class it lost stops it."""
    dataset = office.dataset(SIDES)
    first = office.do(office.request(dataset))
    assert first.state is RunState.SUCCEEDED
    office.control.approve_model(office.model, 1)
    second = office.do(office.request(dataset, blind=True, min_map=0.0))
    assert (second.state, second.model_version) == (RunState.GATED, 2)
    failed = {gate.name: gate for gate in second.gates if gate.level == "BLOCK" and not gate.passed}
    assert set(failed) == {"not_worse_than_champion", "per_class_not_worse/square"}
    assert f"{office.model}:1" in failed["per_class_not_worse/square"].sentence
    gated = office.models()[1]
    assert gated.state is ModelState.GATED_OUT
    assert gated.evaluation is not None
    told = msgspec.json.decode(office.control.blobs[gated.evaluation], type=Evaluation)
    compared = told.compared("test")
    assert compared is not None
    assert compared.map.high is not None
    assert compared.map.high < 0


def test_a_stated_cost_decides_what_devices_publish(office: Workplace) -> None:
    request = msgspec.structs.replace(office.request(office.dataset(SIDES)), cost=CostRule(missed=3.0))
    assert office.do(request).state is RunState.SUCCEEDED
    (model,) = office.models()
    assert model.signature.score_threshold != 0.25
    assert all(variant.golden for variant in model.variants)
    assert model.golden in {variant.golden for variant in model.variants}


def test_a_registered_version_is_scored_on_other_pictures(office: Workplace) -> None:
    office.do(office.request(office.dataset(SIDES)))
    office.case += 1000  # other pictures
    other = office.dataset((Split.TEST,) * 6)
    office.case -= 1000
    run = office.do(
        RunRequest(kind="evaluate", model=office.model, dataset=other.id, parameters={"version": 1, "split": "all"})
    )
    assert (run.state, run.model_version, run.gates) == (RunState.SUCCEEDED, None, ())
    done = msgspec.convert(run.steps[-1].outputs, score.Outputs)
    assert (done.metrics.images, done.seen) == (6, 0)
    assert done.metrics.map50 == pytest.approx(1.0)
    assert len(office.models()) == 1
