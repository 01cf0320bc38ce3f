"""train: labelled pictures become a checkpoint, by the trainer the run names."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.run import CurvePoint, RunRequest
from lineside.pipeline import crash
from lineside.pipeline.code import code_version, trainer_sources
from lineside.pipeline.empty_input import empty_input
from lineside.pipeline.files import write_whole
from lineside.pipeline.parameters import limits_of, trainer_parameters
from lineside.pipeline.step import Context, Results, StepDefinition
from lineside.pipeline.steps import collect
from lineside.pipeline.trainers.base import Progress, TrainImage, TrainJob, complete, trainer

_CURVE = "curve.json"
_KEEPS = ("last.pt",)
_logger = logging.getLogger(__name__)


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides the weights: pictures, boxes, split, trainer with every parameter, starting weights, seed."""

    records: str
    classes: tuple[str, ...]
    trainer: str
    parameters: dict[str, Any]
    init: str | None
    seed: int


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """The checkpoint and the curves as blobs; which run made them, with which code; what people should know."""

    checkpoint: str
    curve: str
    epochs: int
    seconds: float  # of the process that finished it
    run: str
    code_version: str
    noticed: str = ""  # see `empty_input`


def inputs(request: RunRequest, results: Results) -> Inputs:
    """Errors: training.trainer_unknown, training.parameter_unknown, training.parameter_invalid."""
    limits_of(request)  # a mistake there is refused before the hours of training, not after
    collected = results.of("collect", collect.Outputs)
    return Inputs(
        records=collected.records,
        classes=collected.classes,
        trainer=request.trainer,
        parameters=complete(trainer(request.trainer).defaults(), trainer_parameters(request)),
        init=request.init,
        seed=request.seed,
    )


def train(context: Context, given: Inputs) -> Outputs:
    """Train, or go on after the last epoch on disk; errors: those of `Trainer.train`."""
    began = time.monotonic()
    context.kept.restore()
    backend = trainer(given.trainer)
    curve = Curve(context, getattr(backend, "keeps", _KEEPS))
    noticed = _noticed(context, given)
    checkpoint = backend.train(_job(context, given), curve.add)
    return Outputs(
        checkpoint=context.blobs.put_file(checkpoint),
        curve=context.blobs.put_value(curve.points),
        epochs=max((point.epoch for point in curve.points), default=0),
        seconds=round(time.monotonic() - began, 1),
        run=context.run,
        code_version=code_version(),
        noticed=noticed,
    )


def _noticed(context: Context, given: Inputs) -> str:
    """What people should know of these pictures and this network; said before the hours of training, too."""
    sizes = [(one.width, one.height) for one in collect.records_of(context, given.records)]
    signature = trainer(given.trainer).signature(given.classes, given.parameters)
    sentence = empty_input(sizes, signature, tuple(given.parameters))
    if sentence:
        _logger.warning("run %s: %s", context.run, sentence)
        context.reporter.progress(0.0, sentence)
    return sentence


class Curve:
    """The curves so far, on disk beside the checkpoints: a killed training keeps what it drew."""

    def __init__(self, context: Context, keeps: Sequence[str] = _KEEPS) -> None:
        """`keeps`: the trainer's files that another worker needs to go on, beside the curves."""
        self._context, self._keeps = context, keeps
        self._file = context.folder / _CURVE
        self.points: list[CurvePoint] = []
        if self._file.exists():
            self.points = msgspec.json.decode(self._file.read_bytes(), type=list[CurvePoint])

    def add(self, progress: Progress) -> None:
        """Keep an epoch's values and report them. Raises `RunCancelled`, which stops the trainer."""
        crash.point(f"epoch:{progress.epoch}")
        values = progress.losses if progress.val_map50 is None else progress.losses | {"val_map50": progress.val_map50}
        new = tuple(CurvePoint(series=name, epoch=progress.epoch, value=value) for name, value in values.items())
        self.points = [point for point in self.points if point.epoch != progress.epoch] + list(new)
        write_whole(self._file, msgspec.json.encode(self.points))
        self._context.kept.keep([_CURVE, *self._keeps])  # curves first: those of an epoch done again are replaced
        if progress.message:
            _logger.info("run %s: %s", self._context.run, progress.message)
        done = progress.epoch / progress.epochs if progress.epochs else 0.0
        self._context.reporter.progress(done, progress.message or f"epoch {progress.epoch} of {progress.epochs}", new)


def _job(context: Context, given: Inputs) -> TrainJob:
    records = collect.records_of(context, given.records)
    collect.fetch_images(context, records)
    return TrainJob(
        train=_images(context, records, given.classes, Split.TRAIN),
        val=_images(context, records, given.classes, Split.VAL),
        labels=given.classes,
        parameters=given.parameters,
        seed=given.seed,
        init=None if given.init is None else _weights(context, given.init),
        workdir=context.folder,
        threads=context.threads,
    )


def _weights(context: Context, digest: str) -> Path:
    context.reporter.progress(0.0, "fetching the starting weights")
    return context.blobs.path(digest)


def _images(context: Context, records: Sequence[ImageRecord], classes: Sequence[str], side: Split) -> list[TrainImage]:
    index = {label: number for number, label in enumerate(classes)}
    return [
        TrainImage(
            path=context.images.path(record.digest),
            boxes=[(index[box.label], box.x, box.y, box.width, box.height) for box in record.boxes],
        )
        for record in records
        if record.split is side
    ]


def _curve_of(context: Context, done: Outputs) -> tuple[CurvePoint, ...]:
    return tuple(context.blobs.value(done.curve, list[CurvePoint]))


STEP = StepDefinition(
    name="train",
    inputs=inputs,
    perform=train,
    summary=lambda done: (
        f"{done.epochs} epoch{'s' * (done.epochs != 1)}" + (f". {done.noticed}" if done.noticed else "")
    ),
    outputs=Outputs,
    code=lambda given: (__name__, *trainer_sources(trainer(given.trainer))),
    curve=_curve_of,
)
