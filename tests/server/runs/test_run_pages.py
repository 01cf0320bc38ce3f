"""The page of a run: its graph with the state of each step, logs, and the buttons that stop it and start it again."""

from __future__ import annotations

import re

import httpx
import pytest

from lineside.client import Client
from lineside.contract.errors import ErrorReport
from lineside.contract.own_step import OwnStep
from lineside.contract.run import TRAIN_STEPS, Run, RunFinish, RunRequest, RunState, Step, StepReport, StepState
from lineside.contract.run_order import arrange
from lineside.contract.worker import COMMANDS, Beat, Claim, Held, LogReport
from lineside.server.datasets.service import DatasetsService
from lineside.server.runs.graph import graph_of
from lineside.server.runs.service import RunsService
from lineside.server.testing import Running
from tests.server.runs.test_runs import DATASET, add_dataset, training

ALL = Claim(worker="w", steps=(*TRAIN_STEPS, COMMANDS))
OWN = (
    OwnStep(name="count", command=("true",), needs=("split",)),
    OwnStep(name="weigh", command=("true",), needs=("split", "count")),
)


@pytest.fixture
def client(lineside: Running) -> Client:
    add_dataset(lineside.core)
    return Client(lineside.people_url)


def halfway(client: Client) -> Run:
    """A run of which a step is at work, one was cached, one was skipped."""
    own = (*OWN, OwnStep(name="after", command=("true",), needs=("train",)))
    run = client.start_run(training(steps=own))
    client.claim_run(ALL)
    client.beat(Beat(worker="w", holding=(Held(run.id, 1),)))
    for name, state in (("collect", "cached"), ("split", "done"), ("count", "skipped"), ("train", "running")):
        known = next(step for step in run.steps if step.name == name)
        step = Step(name=name, needs=known.needs, state=StepState(state), progress=0.5)
        client.report_step(run.id, StepReport(step=step))
    client.add_log(run.id, LogReport(step="train", part=0, text="epoch 1 <b>\nepoch 2\n"))
    return client.run(run.id)


def test_every_step_stands_right_of_what_it_needs_and_none_on_another() -> None:
    steps = arrange("train", OWN)
    graph = graph_of(steps)
    at = {box.step.name: box for box in graph.boxes}
    assert len({(box.x, box.y) for box in graph.boxes}) == len(steps) == 8
    for step in steps:
        assert all(at[need].x < at[step.name].x for need in step.needs)
    assert len(graph.lines) == 5 + 3
    assert len({at[name].y for name in ("collect", "split", "train", "register")}) == 1


def test_the_page_draws_each_step_in_its_state_with_its_log(client: Client) -> None:
    run = halfway(client)
    shown = httpx.get(f"{client.url}/runs/{run.id}").text
    for name, state in (("collect", "cached"), ("count", "skipped"), ("train", "running"), ("after", "waiting")):
        assert f'aria-label="{name}: {state}"' in shown
    assert "epoch 1 &lt;b&gt;\nepoch 2" in shown
    assert "It has said nothing." in httpx.get(f"{client.url}/runs/{run.id}?step=collect").text
    listed = httpx.get(f"{client.url}/runs").text
    assert "1 of 1" in listed
    assert f'href="/runs/{run.id}"' in listed


def test_the_list_says_what_each_run_is_and_turns_its_pages(client: Client, lineside: Running) -> None:
    model = client.put_blob(b"a model")
    told = {"head": "yolox", "labels": ["a"]}
    client.start_run(RunRequest(kind="import", model="tags", init=model, parameters=told))
    client.start_run(RunRequest(kind="evaluate", model="tags", dataset=DATASET, parameters={"version": 1}))
    client.start_run(RunRequest(kind="steps", model="own", steps=(OwnStep(name="a", command=("true",)),)))
    runs = RunsService(lineside.core, DatasetsService(lineside.core))
    request, steps = runs.checked(training())
    with lineside.core.database.write() as session:
        for _ in range(48):
            runs.queue(session, request, steps)
    newest = httpx.get(f"{lineside.people_url}/runs").text
    assert [newest.count(f"<td>{kind}</td>") for kind in ("training, compact", "own steps", "evaluation")] == [48, 1, 1]
    assert "51 runs" in newest
    (older,) = re.findall(r'href="\?before=(\d+)"', newest)
    last = httpx.get(f"{lineside.people_url}/runs?before={older}").text
    assert (last.count("<td>import</td>"), last.count("<td>training")) == (1, 0)
    assert "Older" not in last


def test_it_says_why_nobody_takes_it(client: Client) -> None:
    run = client.start_run(training(queue="gpu"))
    assert "No worker of the queue gpu is there." in httpx.get(f"{client.url}/runs/{run.id}").text


def test_it_is_stopped_and_started_again_by_its_buttons(client: Client) -> None:
    run = halfway(client)
    stopped = httpx.post(f"{client.url}/runs/{run.id}/cancel")
    assert (stopped.status_code, stopped.headers["location"]) == (303, f"/runs/{run.id}")
    assert client.run(run.id).state is RunState.CANCELLED
    again = httpx.post(f"{client.url}/runs/{run.id}/again", data={"from_step": "train"})
    assert again.status_code == 303
    newest = client.runs()[0]
    assert again.headers["location"] == f"/runs/{newest.id}"
    assert (newest.request.from_step, newest.request.dataset, newest.state) == ("train", DATASET, RunState.QUEUED)
    client.claim_run(ALL)
    client.finish_run(newest.id, RunFinish(state=RunState.FAILED, error=ErrorReport(code="x", message="no")))
    plain = httpx.post(f"{client.url}/runs/{newest.id}/again", data={"from_step": ""})
    assert client.run(plain.headers["location"].rpartition("/")[2]).request.from_step is None
