"""Trainer `compact`: our own small detector, from scratch or from weights of its own kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from lineside.contract.model import Signature
from lineside.pipeline.trainers.base import Progress, TrainJob
from lineside.pipeline.trainers.compact_loss import CompactDetector
from lineside.pipeline.trainers.compact_net import CompactNet, CompactOutput
from lineside.pipeline.trainers.exporting import export_checkpoint
from lineside.pipeline.trainers.loop import fit
from lineside.pipeline.trainers.settings import Settings, settings_of

_PREDICTORS = ("score",)


class CompactSettings(Settings, frozen=True, kw_only=True):
    """From scratch takes more and larger steps than from published weights."""

    input_height: int = 224  # pixels, a multiple of 32; fits pictures of 3:2 and wider
    epochs: int = 24
    batch: int = 4
    settle_epochs: int = 6
    learning_rate: float = 0.002


class CompactTrainer:
    """Head `compact`: RGB 0..1, picture top left, padding 114; one output [1, N, 4 + C], decoded."""

    name = "compact"

    def defaults(self) -> dict[str, Any]:
        """Every parameter with its default."""
        values: dict[str, Any] = msgspec.to_builtins(CompactSettings())
        return values

    def signature(self, labels: tuple[str, ...], parameters: dict[str, Any]) -> Signature:
        """How a device feeds the exported model and reads its output."""
        return _signature(labels, settings_of(CompactSettings, parameters))

    def train(self, job: TrainJob, report: Callable[[Progress], None]) -> Path:
        """See `Trainer.train`."""
        settings = settings_of(CompactSettings, job.parameters)

        def make() -> CompactDetector:
            return CompactDetector(CompactNet(len(job.labels)), settings.input_width, settings.input_height)

        return fit(self.name, make, _PREDICTORS, job, settings, _signature(job.labels, settings), report)

    def export(self, checkpoint: Path, labels: tuple[str, ...], parameters: dict[str, Any], target: Path) -> None:
        """See `Trainer.export`."""
        settings = settings_of(CompactSettings, parameters)
        net = CompactNet(len(labels))
        exported = CompactOutput(net, settings.input_width, settings.input_height)
        export_checkpoint(checkpoint, net, exported, _signature(labels, settings), target)


def _signature(labels: tuple[str, ...], settings: CompactSettings) -> Signature:
    return Signature(
        head="compact", input_width=settings.input_width, input_height=settings.input_height, labels=labels
    )
