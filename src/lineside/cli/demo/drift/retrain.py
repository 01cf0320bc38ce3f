"""The next model: a rule makes a dataset version of the reviews, drift starts the loop's run, both are held against the
field and against the frozen test side."""

from __future__ import annotations

import msgspec

from lineside.cli.demo.drift.review import REVIEWED
from lineside.cli.demo.scene import Scene
from lineside.cli.demo.story import Release
from lineside.cli.demo.training import follow, request_of
from lineside.client import Client
from lineside.client.evaluating import evaluated
from lineside.contract.dataset import DatasetVersion
from lineside.contract.errors import LinesideError
from lineside.contract.evaluation import EvaluateModel, Evaluation
from lineside.contract.gate import GateSpec
from lineside.contract.loop import LATEST, Loop, LoopDocument, Triggers
from lineside.contract.model import ModelVersion
from lineside.contract.review import ReviewRule

FIELD = "field"
_FIELD_SHARE = 0.3
_EPOCHS = 10  # it starts from the champion's weights
_SECONDS = 120.0


class Retrain(msgspec.Struct, frozen=True, kw_only=True):
    """Champion and candidate: mAP50-95 of both on the field set, and by how much that on the test side of the
    champion's own dataset version has changed."""

    loop: str
    run: str
    started_by: str
    dataset_version: str
    champion: str
    candidate: str
    champion_field_map: float
    candidate_field_map: float
    frozen_map_change: float
    frozen_images: int


def apply_loop(scene: Scene, made: Release) -> None:
    """A loop that drift starts, and a rule by which the dataset takes reviews: as a person would who wants both."""
    rule = ReviewRule(name=made.dataset.name, reviewed=REVIEWED, field_share=_FIELD_SHARE)
    document = loop_of(scene, made)
    with scene.display.stage("loop", "Say what starts a training") as stage:
        scene.plane.ask(lambda client: client.apply_loop(document))
        scene.plane.ask(lambda client: client.apply_review_rule(rule))
        stage.outcome = f"loop {document.name}: drift, and a version of {document.dataset} that is new"


def loop_of(scene: Scene, made: Release) -> LoopDocument:
    """As the first model was trained, from its weights on, and held against it on both sets."""
    request, name = request_of(scene, made.dataset), made.dataset.name
    return LoopDocument(
        name=name,
        description="Trains again when the line has changed.",
        model=made.model.name,
        dataset=f"{name}{LATEST}",
        field=f"{name}-{FIELD}{LATEST}",
        trainer=request.trainer,
        init=next(one.digest for one in made.model.variants if one.name == "fp32"),
        parameters=request.parameters | {"epochs": _EPOCHS},
        gates=(
            GateSpec(rule="not_worse_than_champion"),
            GateSpec(rule="not_worse_than_champion", limit=0.0, parameters={"split": FIELD}),
        ),
        cost=request.cost,
        triggers=Triggers(drift=True),
    )


def wait_for_dataset(scene: Scene, made: Release) -> DatasetVersion:
    """The dataset version that the rule makes of the reviews."""
    name = made.dataset.name
    with scene.display.stage("dataset", "Make a dataset of the reviews") as stage:
        version = scene.plane.wait(
            lambda client: client.dataset(name),
            lambda version: version.id != made.dataset.id,
            what=f"the rule of {name} to take {REVIEWED} reviews",
            where=f"{scene.plane.url}/review",
            seconds=_SECONDS,
        )
        field = scene.plane.ask(lambda client: client.dataset(f"{name}-{FIELD}"))
        stage.outcome = f"{version.id}: {version.images} images; {field.images} in the field set"
    return version


def wait_for_start(scene: Scene, made: Release) -> Loop:
    """The loop once its trigger has begun a run."""
    name = made.dataset.name
    with scene.display.stage("trigger", "Wait for the trigger") as stage:
        loop = scene.plane.wait(
            lambda client: client.loop(name),
            lambda loop: loop.run is not None,
            what=f"the loop {name} to begin a run",
            where=f"{scene.plane.url}/loops/{name}",
            seconds=_SECONDS,
        )
        stage.outcome = f"{loop.run} began for {loop.started_by}"
    return loop


def judge(scene: Scene, made: Release, loop: Loop, candidate: ModelVersion) -> Retrain:
    """Champion against candidate: on the field set as the run measured it; on the champion's own test side anew."""
    champion, frozen = made.model, EvaluateModel(dataset=made.dataset.id)
    with scene.display.stage("frozen", "Score on the frozen test side") as stage:
        begun = scene.plane.ask(lambda client: client.evaluate_model(candidate.name, candidate.version, frozen))
        run = follow(scene, begun, stage)
        score = scene.plane.ask(lambda client: evaluated(client, run))
        told = scene.plane.ask(lambda client: _evaluation(client, candidate)).compared(FIELD)
        if told is None:
            raise LinesideError("evaluation.not_done", run=run.id, current=run.state.value)
        retrain = Retrain(
            loop=loop.document.name,
            run=loop.run or "",
            started_by=loop.started_by or "",
            dataset_version=candidate.lineage.dataset or "",
            champion=champion.label,
            candidate=candidate.label,
            champion_field_map=round(told.champion_map, 4),
            candidate_field_map=round(told.candidate_map, 4),
            frozen_map_change=round(score.map - champion.metrics["test"].map, 4),
            frozen_images=score.images,
        )
        stage.outcome = (
            f"{retrain.frozen_map_change:+.3f} mAP50-95 there; on the field set "
            f"{retrain.champion_field_map:.3f} before, {retrain.candidate_field_map:.3f} now"
        )
    return retrain


def _evaluation(client: Client, model: ModelVersion) -> Evaluation:
    return msgspec.json.decode(client.get_blob(model.evaluation or ""), type=Evaluation)
