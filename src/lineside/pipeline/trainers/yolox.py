"""Trainer `yolox`: the published YOLOX, best started from published weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from lineside.contract.model import Signature
from lineside.pipeline.trainers.base import Progress, TrainJob
from lineside.pipeline.trainers.exporting import export_checkpoint
from lineside.pipeline.trainers.loop import Parts, fit
from lineside.pipeline.trainers.settings import STRIDES, DetectorSettings, sized
from lineside.pipeline.trainers.yolox_loss import YoloxDetector
from lineside.pipeline.trainers.yolox_net import SIZES, YoloxNet, YoloxOutput

_PARTS = Parts(("head.cls_preds.",), ("backbone.backbone",))


class YoloxSettings(DetectorSettings, frozen=True, kw_only=True):
    """The network's size beside how to train it."""

    size: str = "nano"  # nano, tiny or s, as published: 0.9, 5 or 9 million parameters


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

        return fit(self.name, make, _PARTS, job, settings, _signature(job.labels, settings), report)

    def export(self, checkpoint: Path, labels: tuple[str, ...], parameters: dict[str, Any], target: Path) -> None:
        """See `Trainer.export`."""
        settings = _settings(parameters)
        net = _net(labels, settings)
        export_checkpoint(checkpoint, net, YoloxOutput(net), _signature(labels, settings), target)


def _settings(parameters: dict[str, Any]) -> YoloxSettings:
    return sized(YoloxSettings, parameters, SIZES)


def _net(labels: tuple[str, ...], settings: YoloxSettings) -> YoloxNet:
    return YoloxNet(len(labels), *SIZES[settings.size])


def _signature(labels: tuple[str, ...], settings: YoloxSettings) -> Signature:
    return Signature(
        head="yolox",
        input_width=settings.input_width,
        input_height=settings.input_height,
        channels="bgr",
        scale=1.0,
        labels=labels,
        size_divisor=STRIDES[-1],
    )
