"""evaluate: the checkpoint as an ONNX file, scored through the code that runs on devices."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec

from lineside.contract.dataset import Split
from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.contract.run import RunRequest
from lineside.pipeline.code import trainer_sources
from lineside.pipeline.scoring import Scored, score_file
from lineside.pipeline.step import Context, Results, StepDefinition
from lineside.pipeline.steps import check, collect, train
from lineside.pipeline.timing import timed
from lineside.pipeline.trainers.base import trainer


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A trained checkpoint (a blob) and what exports it."""

    digest: str
    trainer: str
    parameters: dict[str, Any]


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint to export, or a model file that is there already; and the pictures to score it on."""

    dataset: str
    records: str
    classes: tuple[str, ...]
    signature: Signature
    checkpoint: Checkpoint | None = None
    model: str | None = None


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """The fp32 model, scored, and its signature."""

    signature: Signature
    scored: Scored


def inputs(request: RunRequest, results: Results) -> Inputs | None:
    """What training made, or the imported file if a dataset was given."""
    if not results.has("collect"):
        return None
    collected = results.of("collect", collect.Outputs)
    if results.has("check"):
        checked = results.of("check", check.Outputs)
        return Inputs(
            dataset=collected.dataset,
            records=collected.records,
            classes=collected.classes,
            signature=checked.signature,
            model=checked.model,
        )
    wanted = train.inputs(request, results)
    return Inputs(
        dataset=collected.dataset,
        records=collected.records,
        classes=collected.classes,
        signature=trainer(wanted.trainer).signature(wanted.classes, wanted.parameters),
        checkpoint=Checkpoint(
            digest=results.of("train", train.Outputs).checkpoint,
            trainer=wanted.trainer,
            parameters=wanted.parameters,
        ),
    )


def evaluate(context: Context, given: Inputs) -> Outputs:
    """Export if there is a checkpoint, then score on val and test.

    Errors: split.empty, training.checkpoint_unreadable, those of the runtime.
    """
    records = collect.records_of(context, given.records)
    tested = [record for record in records if record.split is Split.TEST]
    if not tested:
        raise LinesideError("split.empty", dataset=given.dataset, split=Split.TEST.value)
    collect.fetch_images(context, [record for record in records if record.split is not Split.TRAIN])
    model = _export(context, given.checkpoint, given.classes) if given.checkpoint else given.model
    if model is None:
        raise ValueError("there is neither a checkpoint nor a model file to evaluate")
    file = context.blobs.path(model)
    scored = score_file(context, "fp32", file, given.signature, given.classes, records)
    (timing,) = timed([(file, given.signature)], context.images.path(tested[0].digest).read_bytes())
    variant = msgspec.structs.replace(scored.variant, latency_ms=timing.ms, timing=timing)
    return Outputs(signature=given.signature, scored=msgspec.structs.replace(scored, variant=variant))


def _export(context: Context, checkpoint: Checkpoint, classes: tuple[str, ...]) -> str:
    context.reporter.progress(0.0, "exporting to ONNX")
    with tempfile.TemporaryDirectory(dir=context.blobs.folder) as folder:
        target = Path(folder) / "model.onnx"
        maker = trainer(checkpoint.trainer)
        maker.export(context.blobs.path(checkpoint.digest), classes, checkpoint.parameters, target)
        return context.blobs.put_file(target)


def _summary(done: Outputs) -> str:
    test = done.scored.variant.metrics["test"]
    return f"fp32 on {test.images} test pictures: mAP50 {test.map50:.3f}, mAP50-95 {test.map:.3f}"


def _code(given: Inputs) -> tuple[str, ...]:
    used = (
        __name__,
        "lineside.pipeline.scoring",
        "lineside.pipeline.metrics",
        "lineside.pipeline.timing",
        "lineside.runtime",
    )
    if given.checkpoint is None:
        return used
    return (*used, *trainer_sources(trainer(given.checkpoint.trainer)))


STEP = StepDefinition(name="evaluate", inputs=inputs, perform=evaluate, summary=_summary, outputs=Outputs, code=_code)
