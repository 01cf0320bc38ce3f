"""The pipeline: a run is started, or the one that an interrupted demo left is followed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lineside.cli.demo.display import Stage
from lineside.cli.demo.scene import Scene, Story
from lineside.cli.follow import FINISHED, SETTLED
from lineside.cli.loop_file import upload_file
from lineside.client import Client
from lineside.contract.dataset import DatasetVersion
from lineside.contract.errors import LinesideError
from lineside.contract.gate import CostRule
from lineside.contract.model import ModelVersion
from lineside.contract.run import Run, RunRequest, RunState, StepState

_REGISTERED = {RunState.SUCCEEDED, RunState.GATED}
_TAKEN = 180.0  # seconds a run may wait for a worker, which starts slowly
_STALLED = 600.0  # seconds a run may stand still

_RENDERED: dict[str, Any] = {"epochs": 24, "scale": 0.2, "stretch": 0.0, "turn": False, "paste": 0.0}
"""How to train on pictures that the demo renders: they are alike enough for a short training without much variation."""

_TWICE: dict[str, Any] = {"epochs": 24, "settle_epochs": 4, "input_width": 192, "input_height": 128}
"""And where two trainings have to fit into one story: smaller pictures, which take a third of the time."""


def train(scene: Scene, dataset: DatasetVersion) -> tuple[Run, ModelVersion]:
    """Run the pipeline to its end; the run and the model version it registered, gated out or not."""
    request = request_of(scene, dataset)
    run, model = follow_training(scene, lambda client: find_or_start(client, request))
    scene.unchanged.extend(step.name for step in run.steps if step.state is StepState.CACHED)
    return run, model


def follow_training(scene: Scene, begin: Callable[[Client], Run]) -> tuple[Run, ModelVersion]:
    """Follow a run that trains, to its end, and what it registered. Raises `demo.run_failed`."""
    with scene.display.stage("pipeline", "Run the pipeline") as stage:
        run = follow(scene, scene.plane.ask(begin), stage)
        if run.model_version is None or run.state not in _REGISTERED:
            why = run.error.message if run.error else f"it ended as {run.state.value}"
            raise LinesideError("demo.run_failed", run=run.id, why=why.rstrip("."), log=scene.worker_log)
        verdict = "rejected by gate" if run.state is RunState.GATED else "passed its gates"
        stage.outcome = f"{run.request.model}:{run.model_version} {verdict}"
    name, version = run.request.model, run.model_version
    return run, scene.plane.ask(lambda client: client.model(name, version))


def follow(scene: Scene, begun: Run, stage: Stage) -> Run:
    """Any run at its end, with a bar for each of its steps."""
    scene.plane.wait(
        lambda client: client.run(begun.id),
        lambda run: run.state is not RunState.QUEUED,
        what=f"a worker to take run {begun.id}",
        where=scene.worker_log,
        seconds=_TAKEN,
    )
    return scene.plane.wait(
        lambda client: client.run(begun.id),
        lambda run: run.state in FINISHED,
        what=f"run {begun.id} to go on",
        where=scene.worker_log,
        seconds=_STALLED,
        moved=lambda run: show_steps(run, stage),
    )


def find_or_start(client: Client, request: RunRequest) -> Run:
    """The unfinished run of the same request, else a new one; so it may be asked twice."""
    unfinished = (run for run in client.runs(states="queued,running") if run.request == request)
    return next(unfinished, None) or client.start_run(request)


def show_steps(run: Run, stage: Stage) -> object:
    """Move a bar for each step under way; answers what changes while the run gets on."""
    for step in run.steps:
        if step.state is not StepState.WAITING:
            done = 1.0 if step.state in SETTLED else step.progress
            stage.move(step.name, done, step.message or step.state.value)
    return run.steps


def request_of(scene: Scene, dataset: DatasetVersion) -> RunRequest:
    """How the demo trains on a dataset."""
    init, epochs, cost = scene.settings.init, scene.settings.epochs, None
    parameters = dict(_RENDERED) if scene.settings.data is None and not init else {}
    if scene.settings.story is Story.DRIFT:
        parameters |= _TWICE
        cost = CostRule(missed=2.0)
    return RunRequest(
        model=dataset.name,
        dataset=dataset.id,
        trainer="yolox" if init else "compact",
        init=scene.plane.ask(lambda client: upload_file(client, init)) if init else None,
        parameters=parameters if epochs is None else parameters | {"epochs": epochs},
        cost=cost,
    )
