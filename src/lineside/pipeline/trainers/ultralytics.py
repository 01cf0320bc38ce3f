"""Trainer `ultralytics`: YOLO of the package of that name, which is AGPL-3.0: install it only if that suits you.

A thin plug-in of the extra `ultralytics`, which no other extra brings. The package trains; what it exports is read by
head `yolov8`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from lineside.contract.model import Signature
from lineside.pipeline.files import write_whole
from lineside.pipeline.trainers.base import Progress, TrainJob, complete
from lineside.pipeline.trainers.outside import imported, starting_weights, write_folder

PACKAGE = "ultralytics"
_LAST = "run/weights/last.pt"
_OPSET = 17
_MAP50 = "metrics/mAP50(B)"


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """What is handed on to the package; `model` is one of its descriptions, from scratch unless there are starting
    weights, a `.pt` file of the package's own."""

    model: str = "yolov8n.yaml"
    input_side: int = 320  # pixels, a multiple of 32
    epochs: int = 100
    minutes: float = 0.0  # over 0: wall time in place of epochs
    batch: int = 8
    patience: int = 0
    device: str = "cpu"


class UltralyticsTrainer:
    """Head `yolov8`: RGB 0..1, picture in the middle, padding 114; one output [1, 4 + C, N]."""

    name = PACKAGE
    keeps = (_LAST,)

    def defaults(self) -> dict[str, Any]:
        """Every parameter with its default."""
        values: dict[str, Any] = msgspec.to_builtins(Parameters())
        return values

    def signature(self, labels: tuple[str, ...], parameters: dict[str, Any]) -> Signature:
        """How a device feeds the exported model and reads its output."""
        side = self._given(parameters).input_side
        return Signature(head="yolov8", input_width=side, input_height=side, letterbox="centre", labels=labels)

    def train(self, job: TrainJob, report: Callable[[Progress], None]) -> Path:
        """See `Trainer.train`; error besides: training.package_missing."""
        given, final, last = self._given(job.parameters), job.workdir / "final.pt", job.workdir / _LAST
        if final.exists():
            return final
        package = _package()
        data = write_folder(job, job.workdir / "data")
        model = package.YOLO(str(last if last.exists() else starting_weights(job) or given.model))
        model.add_callback("on_fit_epoch_end", lambda trainer: report(_progress(trainer)))
        model.train(
            data=str(data),
            epochs=given.epochs,
            time=given.minutes / 60 or None,
            imgsz=given.input_side,
            batch=given.batch,
            patience=given.patience or given.epochs,
            device=given.device,
            seed=job.seed,
            deterministic=True,
            workers=0,
            amp=False,  # its check fetches a model
            plots=False,
            project=str(job.workdir),
            name="run",
            exist_ok=True,
            resume=last.exists(),
        )
        write_whole(final, last.read_bytes())
        return final

    def export(self, checkpoint: Path, labels: tuple[str, ...], parameters: dict[str, Any], target: Path) -> None:
        """See `Trainer.export`; error besides: training.package_missing."""
        model = _package().YOLO(str(checkpoint))
        side = self._given(parameters).input_side
        made = Path(model.export(format="onnx", imgsz=side, opset=_OPSET, simplify=False, dynamic=False, nms=False))
        write_whole(target, made.read_bytes())
        made.unlink()

    def _given(self, parameters: dict[str, Any]) -> Parameters:
        return msgspec.convert(complete(self.defaults(), parameters), Parameters)


def _package() -> Any:
    os.environ["YOLO_OFFLINE"] = "true"  # read when it is imported: it fetches nothing and tells nobody
    return imported(PACKAGE)


def _progress(trainer: Any) -> Progress:
    losses = {name: float(value) for name, value in trainer.label_loss_items(trainer.tloss, prefix="train").items()}
    scored = trainer.metrics.get(_MAP50)
    return Progress(
        epoch=trainer.epoch + 1,
        epochs=trainer.epochs,
        losses=losses,
        val_map50=None if scored is None else float(scored),
        message="",
    )
