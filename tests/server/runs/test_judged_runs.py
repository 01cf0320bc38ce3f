"""Runs that say by what a model is judged: refused when nobody could, and plain when a gate has blocked one."""

from __future__ import annotations

from typing import Any

import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.gate import CostRule, GateSpec
from lineside.contract.ids import digest_of
from lineside.contract.model import GateResult
from lineside.contract.run import EVALUATE_STEPS, RunFinish, RunRequest, RunState
from lineside.server.datasets.series import add_to_series
from lineside.server.datasets.service import DatasetsService
from lineside.server.runs.service import RunsService
from lineside.server.services import Core
from tests.server.runs.test_runs import DATASET, add_dataset


@pytest.fixture
def runs(core: Core) -> RunsService:
    add_dataset(core)
    with core.database.write() as session:
        add_to_series(session, "tags", DATASET)
    return RunsService(core, DatasetsService(core))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"gates": (GateSpec(rule="prettier"),)}, "gate.rule_unknown"),
        ({"gates": (GateSpec(rule="size", parameters={"split": "test"}),)}, "gate.parameter_invalid"),
        ({"gates": (GateSpec(rule="minimum_map", parameters={"split": "field"}),)}, "gate.parameter_invalid"),
        ({"targets": ("pdp-11",)}, "gate.target_unknown"),
        ({"cost": CostRule(missed=0)}, "gate.cost_invalid"),
        ({"field": "ds-ffffffffffff"}, "request.not_found"),
        ({"trainer": "ultralytics", "init": digest_of(b"weights")}, "training.init_refused"),
        ({"kind": "evaluate"}, "run.request_incomplete"),
        ({"kind": "evaluate", "dataset": None, "parameters": {"version": 1}}, "run.request_incomplete"),
    ],
)
def test_what_nobody_could_judge_by_is_refused_at_the_start(
    runs: RunsService, fields: dict[str, Any], code: str
) -> None:
    with pytest.raises(LinesideError) as refused:
        runs.start(RunRequest(**({"model": "tags", "dataset": DATASET} | fields)))
    assert refused.value.code == code
    assert runs.page().runs == ()


def test_a_run_keeps_what_it_is_judged_by(runs: RunsService) -> None:
    asked = RunRequest(
        model="tags",
        dataset=DATASET,
        gates=(GateSpec(rule="class_floor", limit=0.3, parameters={"classes": ["dent"]}),),
        targets=("generic-x86",),
        cost=CostRule(missed=5.0),
        field=DATASET,
    )
    assert runs.get(runs.start(asked).id).request == asked


def test_names_of_datasets_become_the_versions_they_mean_now(runs: RunsService) -> None:
    run = runs.start(RunRequest(model="tags", dataset="tags", field="tags@latest"))
    assert (run.request.dataset, run.request.field) == (DATASET, DATASET)


def test_a_run_that_evaluates_has_its_own_steps(runs: RunsService) -> None:
    run = runs.start(RunRequest(kind="evaluate", model="tags", dataset=DATASET, parameters={"version": 1}))
    assert tuple(step.name for step in run.steps) == EVALUATE_STEPS


def test_the_event_of_a_blocked_run_says_which_gates_said_no(core: Core, runs: RunsService) -> None:
    run = runs.start(RunRequest(model="tags", dataset=DATASET))
    runs.claim("w1")
    gates = (
        said_no("minimum_map", "BLOCK", "mAP is below."),
        said_no("int8_drop", "WARN", "INT8 loses much."),
        said_no("per_class_not_worse/dent", "BLOCK", "Dent."),
    )
    ended = runs.finish(run.id, RunFinish(state=RunState.GATED, gates=gates, model_version=1))
    assert (ended.state, ended.gates) == (RunState.GATED, gates)
    with core.database.read() as session:
        newest = core.events.page(session, before=None, kind="run", limit=1).events[0]
    assert newest.kind == "run.rejected_by_gate"
    assert newest.message == f"The run {run.id} ended: rejected by gate. mAP is below. Dent."


def said_no(name: str, level: str, sentence: str) -> GateResult:
    return GateResult(name=name, level=level, passed=False, value=0.1, limit=0.4, sentence=sentence)
