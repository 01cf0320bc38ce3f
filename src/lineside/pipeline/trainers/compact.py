"""Trainer `compact`: our own small detector, from scratch or from weights of its own kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from lineside.contract.model import Signature
from lineside.pipeline.trainers.base import Progress, TrainJob
from lineside.pipeline.trainers.compact_loss import CompactDetector
from lineside.pipeline.trainers.compact_net import BACKBONE, PREDICTORS, SIZES, CompactNet, CompactOutput
from lineside.pipeline.trainers.exporting import export_checkpoint
from lineside.pipeline.trainers.loop import Parts, fit
from lineside.pipeline.trainers.settings import STRIDES, DetectorSettings, sized


class CompactSettings(DetectorSettings, frozen=True, kw_only=True):
    """From scratch takes more and larger steps than from published weights."""

    size: str = "n"  # n, s or m: 0.7, 1.6 or 4 million parameters
    grey: bool = False  # one plane of brightness instead of three of colour
    input_height: int = 224  # pixels, a multiple of 32; fits pictures of 3:2 and wider
    epochs: int = 60
    batch: int = 4
    settle_epochs: int = 10
    learning_rate: float = 0.002


class CompactTrainer:
    """Head `compact`: RGB or grey 0..1, picture top left, padding 114; one output [1, N, 4 + C], decoded."""

    name = "compact"

    def defaults(self) -> dict[str, Any]:
        """Every parameter with its default."""
        values: dict[str, Any] = msgspec.to_builtins(CompactSettings())
        return values

    def signature(self, labels: tuple[str, ...], parameters: dict[str, Any]) -> Signature:
        """How a device feeds the exported model and reads its output."""
        return _signature(labels, _settings(parameters))

    def train(self, job: TrainJob, report: Callable[[Progress], None]) -> Path:
        """See `Trainer.train`."""
        settings = _settings(job.parameters)

        def make() -> CompactDetector:
            return CompactDetector(_net(job.labels, settings), settings.input_width, settings.input_height)

        signature = _signature(job.labels, settings)
        return fit(self.name, make, Parts(PREDICTORS, BACKBONE), job, settings, signature, report)

    def export(self, checkpoint: Path, labels: tuple[str, ...], parameters: dict[str, Any], target: Path) -> None:
        """See `Trainer.export`."""
        settings = _settings(parameters)
        net = _net(labels, settings)
        export_checkpoint(checkpoint, net, CompactOutput(net), _signature(labels, settings), target)


def _settings(parameters: dict[str, Any]) -> CompactSettings:
    return sized(CompactSettings, parameters, SIZES)


def _net(labels: tuple[str, ...], settings: CompactSettings) -> CompactNet:
    return CompactNet(len(labels), settings.size, 1 if settings.grey else 3)


def _signature(labels: tuple[str, ...], settings: CompactSettings) -> Signature:
    return Signature(
        head="compact",
        input_width=settings.input_width,
        input_height=settings.input_height,
        channels="grey" if settings.grey else "rgb",
        labels=labels,
        size_divisor=STRIDES[-1],
    )
