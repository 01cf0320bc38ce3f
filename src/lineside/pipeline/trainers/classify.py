"""Trainer `classify`: which class a whole picture is of, from scratch or from weights of its own kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.pipeline.trainers.base import Progress, TrainImage, TrainJob
from lineside.pipeline.trainers.classify_net import PREDICTORS, Classifier, ClassifyNet, ClassifyOutput
from lineside.pipeline.trainers.compact_net import BACKBONE, SIZES
from lineside.pipeline.trainers.exporting import export_checkpoint
from lineside.pipeline.trainers.loop import Parts, fit
from lineside.pipeline.trainers.settings import Settings, sized

_LARGE = 1e6  # pixels


class ClassifySettings(Settings, frozen=True, kw_only=True):
    """Pictures are stretched to the input; four put together, or with objects of others in them, have no one class."""

    size: str = "n"  # n, s or m, the backbones of `compact`
    grey: bool = False  # one plane of brightness instead of three of colour
    input_width: int = 224
    input_height: int = 224
    epochs: int = 24
    batch: int = 16
    learning_rate: float = 0.002


class ClassifyTrainer:
    """Head `classify`: RGB or grey 0..1, picture stretched; one output [1, C], probabilities."""

    name = "classify"

    def defaults(self) -> dict[str, Any]:
        """Every parameter with its default."""
        values: dict[str, Any] = msgspec.to_builtins(ClassifySettings())
        return {name: value for name, value in values.items() if name not in ("mosaic", "paste")}

    def signature(self, labels: tuple[str, ...], parameters: dict[str, Any]) -> Signature:
        """How a device feeds the exported model and reads its output."""
        return _signature(labels, _settings(parameters))

    def train(self, job: TrainJob, report: Callable[[Progress], None]) -> Path:
        """See `Trainer.train`. Pictures without a class, or of several, are left out. Error: training.one_class."""
        settings = _settings(job.parameters)
        whole = msgspec.structs.replace(job, train=_classed(job.train), val=_classed(job.val))
        found = {image.boxes[0][0] for image in whole.train}
        if len(found) == 1:
            raise LinesideError("training.one_class", label=job.labels[found.pop()])
        left_out = len(job.train) + len(job.val) - len(whole.train) - len(whole.val)
        if left_out:
            message = f"{left_out} pictures have no class or several, and are left out"
            report(Progress(epoch=0, epochs=settings.epochs, losses={}, val_map50=None, message=message))

        def make() -> Classifier:
            return Classifier(_net(job.labels, settings))

        signature = _signature(job.labels, settings)
        return fit(self.name, make, Parts(PREDICTORS, BACKBONE), whole, settings, signature, report)

    def export(self, checkpoint: Path, labels: tuple[str, ...], parameters: dict[str, Any], target: Path) -> None:
        """See `Trainer.export`."""
        settings = _settings(parameters)
        net = _net(labels, settings)
        export_checkpoint(checkpoint, net, ClassifyOutput(net), _signature(labels, settings), target)


def _settings(parameters: dict[str, Any]) -> ClassifySettings:
    return sized(ClassifySettings, parameters, SIZES)


def _net(labels: tuple[str, ...], settings: ClassifySettings) -> ClassifyNet:
    return ClassifyNet(len(labels), settings.size, 1 if settings.grey else 3)


def _signature(labels: tuple[str, ...], settings: ClassifySettings) -> Signature:
    return Signature(
        head="classify",
        input_width=settings.input_width,
        input_height=settings.input_height,
        channels="grey" if settings.grey else "rgb",
        letterbox="stretch",
        labels=labels,
        score_threshold=0.5,
        max_detections=1,
    )


def _classed(images: list[TrainImage]) -> list[TrainImage]:
    """Pictures of one class, each with one box of the whole picture: larger than any, it is cut when it is read."""
    labels = [{box[0] for box in image.boxes} for image in images]
    return [
        TrainImage(image.path, [(found.pop(), 0.0, 0.0, _LARGE, _LARGE)])
        for image, found in zip(images, labels, strict=True)
        if len(found) == 1
    ]
