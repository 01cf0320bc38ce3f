"""Trainer `yolox`: the published YOLOX, best started from published weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.pipeline.trainers.base import Progress, TrainJob
from lineside.pipeline.trainers.exporting import export_checkpoint
from lineside.pipeline.trainers.loop import fit
from lineside.pipeline.trainers.settings import Settings, settings_of
from lineside.pipeline.trainers.yolox_loss import YoloxDetector
from lineside.pipeline.trainers.yolox_net import YoloxNet, YoloxOutput

_PREDICTORS = ("head.cls_preds.",)


class YoloxSettings(Settings, frozen=True, kw_only=True):
    """The network's size beside how to train it: nano by default."""

    width: float = 0.25
    depth: float = 0.33
    depthwise: bool = True


class YoloxTrainer:
    """Head `yolox`: BGR 0..255, picture top left, padding 114; one output [1, N, 5 + C], undecoded."""

    name = "yolox"

    def defaults(self) -> dict[str, Any]:
        """Every parameter with its default."""
        values: dict[str, Any] = msgspec.to_builtins(YoloxSettings())
        return values

    def signature(self, labels: tuple[str, ...], parameters: dict[str, Any]) -> Signature:
        """How a device feeds the exported model and reads its output."""
        return _signature(labels, _settings(parameters))

    def train(self, job: TrainJob, report: Callable[[Progress], None]) -> Path:
        """See `Trainer.train`."""
        settings = _settings(job.parameters)

        def make() -> YoloxDetector:
            return YoloxDetector(_net(job.labels, settings), settings.input_width, settings.input_height)

        return fit(self.name, make, _PREDICTORS, job, settings, _signature(job.labels, settings), report)

    def export(self, checkpoint: Path, labels: tuple[str, ...], parameters: dict[str, Any], target: Path) -> None:
        """See `Trainer.export`."""
        settings = _settings(parameters)
        net = _net(labels, settings)
        export_checkpoint(checkpoint, net, YoloxOutput(net), _signature(labels, settings), target)


def _settings(parameters: dict[str, Any]) -> YoloxSettings:
    settings = settings_of(YoloxSettings, parameters)
    for name, value in (("width", settings.width), ("depth", settings.depth)):
        if not 0.1 <= value <= 1.5:
            raise LinesideError("training.parameter_invalid", name=name, value=value, why="it must be from 0.1 to 1.5")
    return settings


def _net(labels: tuple[str, ...], settings: YoloxSettings) -> YoloxNet:
    return YoloxNet(len(labels), settings.width, settings.depth, settings.depthwise)


def _signature(labels: tuple[str, ...], settings: YoloxSettings) -> Signature:
    return Signature(
        head="yolox",
        input_width=settings.input_width,
        input_height=settings.input_height,
        channels="bgr",
        scale=1.0,
        labels=labels,
    )
