"""score: how good a registered version is on any labelled pictures, through the code that runs on devices."""

from __future__ import annotations

import msgspec

from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.errors import LinesideError
from lineside.contract.evaluation import EVERYTHING
from lineside.contract.model import Metrics, ModelVersion, Signature
from lineside.contract.run import RunRequest
from lineside.pipeline.classes import HEAD, whole_pictures
from lineside.pipeline.evaluation.champion import found_by, signature_of
from lineside.pipeline.evaluation.report import Pictures, Scorer, evaluate
from lineside.pipeline.metrics import score as coco_score
from lineside.pipeline.step import Context, Results, StepDefinition
from lineside.pipeline.steps import collect


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """A model version, a dataset version (its id, its classes, the blob with its records), and the side to score."""

    name: str
    version: int
    dataset: str
    classes: tuple[str, ...]
    records: str
    split: str


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """The evaluation (a blob) and its main numbers; `seen` counts pictures that the model was trained or chosen on."""

    model: str  # name:version
    digest: str
    dataset: str
    split: str
    metrics: Metrics
    evaluation: str
    seen: int


def inputs(request: RunRequest, results: Results) -> Inputs:
    """The version and the side are among the parameters. Error: run.request_incomplete."""
    version = request.parameters.get("version")
    if not isinstance(version, int):
        raise LinesideError("run.request_incomplete", kind=request.kind, what="the version of a model")
    collected = results.of("collect", collect.Outputs)
    return Inputs(
        name=request.model,
        version=version,
        dataset=collected.dataset,
        classes=collected.classes,
        records=collected.records,
        split=str(request.parameters.get("split", Split.TEST.value)),
    )


def score(context: Context, given: Inputs) -> Outputs:
    """Run the model on the pictures; errors: request.not_found, evaluation.no_pictures, evaluation.no_common_class."""
    model = context.control.find_model(f"{given.name}:{given.version}")
    signature = signature_of(model)
    images = _images(context, given, signature)
    if not set(given.classes) & set(signature.labels):
        raise LinesideError(
            "evaluation.no_common_class",
            classes=", ".join(given.classes),
            model=model.label,
            labels=", ".join(signature.labels[:20]),
        )
    collect.fetch_images(context, images)
    found = found_by(context, model.label, model.digest, signature, images)
    side = Pictures(name=given.split, dataset=given.dataset, classes=given.classes, images=images)
    scorer = Scorer(label=model.label, digest=model.digest, signature=signature, found=found)
    return Outputs(
        model=model.label,
        digest=model.digest,
        dataset=given.dataset,
        split=given.split,
        metrics=coco_score(images, given.classes, found),
        evaluation=context.blobs.put_value(evaluate(context, scorer, [side])),
        seen=_seen(context, model, images),
    )


def _images(context: Context, given: Inputs, signature: Signature) -> list[ImageRecord]:
    records = collect.records_of(context, given.records)
    if signature.head == HEAD:
        records = whole_pictures(records)
    images = [record for record in records if given.split in (EVERYTHING, record.split.value)]
    if not images:
        raise LinesideError("evaluation.no_pictures", dataset=given.dataset, split=given.split)
    return images


def _seen(context: Context, model: ModelVersion, images: list[ImageRecord]) -> int:
    """How many of these pictures the model learned from. A dataset that is not there any more says nothing."""
    if model.lineage.dataset is None:
        return 0
    learned = {
        record.digest
        for record in collect.read_records(context.control, model.lineage.dataset)
        if record.split is not Split.TEST
    }
    return sum(image.digest in learned for image in images)


def _summary(done: Outputs) -> str:
    numbers = f"mAP50 {done.metrics.map50:.3f}, mAP50-95 {done.metrics.map:.3f}"
    seen = f"; it learned from {done.seen} of them" if done.seen else ""
    return f"{done.model} on {done.metrics.images} pictures: {numbers}{seen}"


STEP = StepDefinition(
    name="score",
    inputs=inputs,
    perform=score,
    summary=_summary,
    outputs=Outputs,
    code=lambda given: (
        __name__,
        "lineside.pipeline.classes",
        "lineside.pipeline.evaluation",
        "lineside.pipeline.metrics",
        "lineside.pipeline.scoring",
        "lineside.runtime",
    ),
)
