"""Runs: queued by people, claimed and finished by workers, each move once."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import msgspec
import pytest

from lineside.client import Client
from lineside.contract.dataset import DatasetVersion, ImageRecord, Split
from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.ids import digest_of, is_name
from lineside.contract.model import MOST_NAME
from lineside.contract.run import (
    IMPORT_STEPS,
    RUN_MOVES,
    TRAIN_STEPS,
    CachedStep,
    CurvePoint,
    Run,
    RunFinish,
    RunRequest,
    RunState,
    Step,
    StepReport,
    StepState,
)
from lineside.server.components.recipes import inference_component
from lineside.server.datasets.service import DatasetsService
from lineside.server.datasets.store import add_version
from lineside.server.runs.model import check_request
from lineside.server.runs.service import RunsService
from lineside.server.services import Core
from lineside.server.testing import Running

DATASET = "ds-0123456789ab"


def add_dataset(core: Core) -> None:
    image = ImageRecord(digest=digest_of(b"i"), file_name="a.png", width=1, height=1, split=Split.TRAIN)
    version = DatasetVersion(
        id=DATASET, digest="d", name="tags", created_at="", format="coco", origin="photographs", images=1, boxes=0,
        classes=("dent",), splits={"train": 1}, groups=0, split_by="given",
    )  # fmt: skip
    with core.database.write() as session:
        add_version(session, version, (image,))


@pytest.fixture
def runs(core: Core) -> RunsService:
    add_dataset(core)
    return RunsService(core, DatasetsService(core))


def training(**fields: Any) -> RunRequest:
    return RunRequest(**({"model": "tags", "dataset": DATASET} | fields))


def code(caught: pytest.ExceptionInfo[LinesideError]) -> str:
    return caught.value.code


def test_a_new_run_waits_with_all_its_steps(runs: RunsService) -> None:
    run = runs.start(training(seed=3))
    assert (run.state, run.request.seed) == (RunState.QUEUED, 3)
    assert tuple(step.name for step in run.steps) == TRAIN_STEPS
    assert {step.state for step in run.steps} == {StepState.WAITING}
    assert runs.get(run.id) == run


def test_the_same_request_is_another_run(runs: RunsService) -> None:
    first, second = runs.start(training()), runs.start(training())
    assert first.id != second.id
    assert [run.id for run in runs.page().runs] == [second.id, first.id]


@pytest.mark.parametrize(
    ("request_", "refused"),
    [
        (RunRequest(model="tags"), "run.request_incomplete"),
        (RunRequest(model="tags", kind="guess"), "run.kind_unknown"),
        (RunRequest(model="a/b", dataset=DATASET), "request.invalid"),
        (RunRequest(model="tags", dataset="ds-000000000000"), "request.not_found"),
        (RunRequest(model="tags", dataset=DATASET, init=digest_of(b"never")), "request.not_found"),
        (RunRequest(model="tags", dataset=DATASET, init="weights.pth"), "request.invalid"),
        (RunRequest(model="tags", kind="import"), "run.request_incomplete"),
        (RunRequest(model="tags", kind="import", init=digest_of(b"")), "run.request_incomplete"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(runs: RunsService, request_: RunRequest, refused: str) -> None:
    with pytest.raises(LinesideError) as caught:
        runs.start(request_)
    assert code(caught) == refused
    assert runs.page().runs == ()


def test_an_import_has_its_own_steps(runs: RunsService, core: Core) -> None:
    file = core.objects.put(b"onnx")
    run = runs.start(RunRequest(kind="import", model="tags", init=file, parameters={"head": "yolox", "labels": ["a"]}))
    assert tuple(step.name for step in run.steps) == IMPORT_STEPS


def test_a_worker_gets_the_oldest_run_and_after_a_crash_the_same_again(runs: RunsService) -> None:
    first, second = runs.start(training()), runs.start(training())
    claimed = runs.claim("w1")
    assert claimed is not None
    assert (claimed.id, claimed.state) == (first.id, RunState.RUNNING)
    assert runs.claim("w1") == msgspec.structs.replace(claimed, attempt=2)  # it came back from a crash
    other = runs.claim("w2")
    assert other is not None
    assert other.id == second.id
    assert runs.claim("w3") is None
    runs.finish(first.id, RunFinish(state=RunState.SUCCEEDED))
    assert runs.claim("w1") is None


def test_many_workers_never_share_a_run(runs: RunsService) -> None:
    for _ in range(12):
        runs.start(training())
    claimed: list[Run | None] = []
    threads = [threading.Thread(target=lambda n=n: claimed.append(runs.claim(f"w{n}"))) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [run.id for run in claimed if run is not None]
    assert len(ids) == len(set(ids)) == 12


def test_the_newest_word_on_a_step_stays_and_points_are_there_once(runs: RunsService) -> None:
    run = runs.start(training())
    runs.claim("w")
    loss = CurvePoint(series="loss", epoch=1, value=3.0)
    for progress in (0.1, 0.5):
        step = Step(name="train", state=StepState.RUNNING, progress=progress)
        runs.report(run.id, StepReport(step=step, curve=(loss,)))
    runs.report(run.id, StepReport(step=step, curve=(CurvePoint(series="loss", epoch=2, value=2.0),)))
    train = next(step for step in runs.get(run.id).steps if step.name == "train")
    assert train.progress == 0.5
    assert runs.curves(run.id) == [loss, CurvePoint(series="loss", epoch=2, value=2.0)]


def test_an_epoch_done_again_takes_the_new_value(runs: RunsService) -> None:
    run = runs.start(training())
    runs.claim("w")
    for value in (3.0, 2.5):
        point = CurvePoint(series="loss", epoch=1, value=value)
        runs.report(run.id, StepReport(step=Step(name="train"), curve=(point,)))
    assert [point.value for point in runs.curves(run.id)] == [2.5]


def test_a_step_nobody_knows_is_refused(runs: RunsService) -> None:
    run = runs.start(training())
    with pytest.raises(LinesideError) as caught:
        runs.report(run.id, StepReport(step=Step(name="dream")))
    assert code(caught) == "request.not_found"


def test_the_last_word_may_be_said_twice(runs: RunsService, core: Core) -> None:
    run = runs.start(training())
    runs.claim("w")
    error = ErrorReport(code="run.step_failed", message="no")
    finish = RunFinish(state=RunState.FAILED, error=error)
    first, again = runs.finish(run.id, finish), runs.finish(run.id, finish)
    assert first == again
    assert (first.state, first.error) == (RunState.FAILED, error)
    assert first.finished_at is not None
    with core.database.read() as session:
        kinds = [event.kind for event in core.events.page(session, before=None, kind="run", limit=10).events]
    assert kinds == ["run.failed", "run.running", "run.queued"]


@pytest.mark.parametrize("state", [s for s in RunState if not RUN_MOVES[s]])
def test_a_finished_run_moves_no_more(runs: RunsService, state: RunState) -> None:
    run = runs.start(training())
    runs.claim("w")
    runs.finish(run.id, RunFinish(state=state))
    other = RunState.FAILED if state is not RunState.FAILED else RunState.SUCCEEDED
    with pytest.raises(LinesideError) as caught:
        runs.finish(run.id, RunFinish(state=other))
    assert code(caught) == "state.illegal_move"
    with pytest.raises(LinesideError) as caught:
        runs.cancel(run.id)
    assert code(caught) == "state.illegal_move"
    assert runs.get(run.id).state is state


def test_a_waiting_run_cannot_be_finished(runs: RunsService) -> None:
    run = runs.start(training())
    with pytest.raises(LinesideError) as caught:
        runs.finish(run.id, RunFinish(state=RunState.SUCCEEDED))
    assert code(caught) == "state.illegal_move"


def test_a_stopped_run_skips_its_rest_and_hears_no_more(runs: RunsService) -> None:
    run = runs.start(training())
    runs.claim("w")
    runs.report(run.id, StepReport(step=Step(name="collect", state=StepState.DONE)))
    stopped = runs.cancel(run.id)
    assert stopped.state is RunState.CANCELLED
    assert [step.state for step in stopped.steps] == [StepState.DONE] + 5 * [StepState.SKIPPED]
    runs.report(run.id, StepReport(step=Step(name="train", state=StepState.RUNNING)))
    assert runs.get(run.id) == stopped
    assert runs.claim("w") is None


def test_steps_are_remembered_by_key(runs: RunsService) -> None:
    with pytest.raises(LinesideError) as caught:
        runs.cached("k")
    assert code(caught) == "request.not_found"
    runs.cache(CachedStep(key="k", outputs={"model": "sha256:0"}, run="run-1"))
    runs.cache(CachedStep(key="k", outputs={"model": "sha256:1"}, run="run-2"))
    assert runs.cached("k") == CachedStep(key="k", outputs={"model": "sha256:1"}, run="run-2")


def test_the_whole_way_over_http(lineside: Running) -> None:
    add_dataset(lineside.core)
    client = Client(lineside.people_url)
    assert client.claim_run("w") is None
    run = client.start_run(training())
    assert client.claim_run("w") == client.run(run.id)
    point = CurvePoint(series="loss", epoch=0, value=1.5)
    client.report_step(run.id, StepReport(step=Step(name="train", state=StepState.RUNNING), curve=(point,)))
    assert client.run_curves(run.id) == [point]
    cached = CachedStep(key="train-" + 64 * "a", outputs={"x": [1, {"y": 2}]}, run=run.id)
    assert client.cached_step(cached.key) is None
    client.cache_step(cached)
    assert client.cached_step(cached.key) == cached
    done = client.finish_run(run.id, RunFinish(state=RunState.SUCCEEDED, model_version=1))
    assert client.runs() == [done]
    with pytest.raises(LinesideError) as caught:
        client.cancel_run(run.id)
    assert code(caught) == "state.illegal_move"
    body = b'{"key": "other", "outputs": {}, "run": "r"}'
    assert httpx.put(f"{lineside.people_url}/api/v1/steps/k", content=body).status_code == 400


@pytest.mark.parametrize(
    ("name", "expected"),
    [("x" * MOST_NAME, None), ("x" * (MOST_NAME + 1), "model.name_too_long"), ("../x", "request.invalid")],
)
def test_a_model_whose_components_could_not_be_named_is_refused_before_anything_runs(
    name: str, expected: str | None
) -> None:
    assert is_name(inference_component("x" * MOST_NAME))
    assert not is_name(inference_component("x" * (MOST_NAME + 1)))
    if expected is None:
        assert check_request(training(model=name))
    else:
        with pytest.raises(LinesideError) as refused:
            check_request(training(model=name))
        assert refused.value.code == expected


def test_runs_come_a_page_at_a_time(lineside: Running) -> None:
    add_dataset(lineside.core)
    client = Client(lineside.people_url)
    runs = RunsService(lineside.core, DatasetsService(lineside.core))
    ids = [runs.start(training(loop="nightly" if number % 2 else None)).id for number in range(7)][::-1]
    first = client.run_page(limit=3)
    assert ([run.id for run in first.runs], first.total) == (ids[:3], 7)
    second = client.run_page(limit=4, before=first.next)
    assert ([run.id for run in second.runs], second.next) == (ids[3:], None)
    assert [len(run.steps) for run in second.runs] == [len(TRAIN_STEPS)] * 4
    assert [run.id for run in client.runs(loop="nightly")] == ids[1::2]
    client.cancel_run(ids[2])
    assert [run.id for run in client.runs(states="cancelled,running")] == [ids[2]]
    assert (client.runs(kind="import"), len(client.runs(kind="train"))) == ([], 7)
    with pytest.raises(LinesideError, match="no state of runs"):
        client.runs(states="asleep")
