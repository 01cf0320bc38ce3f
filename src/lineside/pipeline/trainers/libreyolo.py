"""Trainer `libreyolo`: YOLOv9 of the package of that name (MIT), a thin plug-in of the extra `libreyolo`.

The package trains; its exported file answers corners and scores by column, which are turned into rows for head
`compact`. Starting weights are a `.pt` file of the package's own, of tensors and plain values.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx

from lineside.contract.model import Signature
from lineside.pipeline.trainers.base import Progress, TrainJob
from lineside.pipeline.trainers.outside import (
    OPSET,
    OutsideSettings,
    OutsideTrainer,
    check_plain,
    imported,
    named_weights,
    write_folder,
)
from lineside.pipeline.trainers.settings import chosen

PACKAGE = "libreyolo"
SIZES = ("t", "s", "m", "c")
_MAP50 = "metrics/mAP50"


class LibreYoloSettings(OutsideSettings, frozen=True, kw_only=True):
    """How large a network, and for how long."""

    size: str = "t"


class LibreYoloTrainer(OutsideTrainer[LibreYoloSettings]):
    """Head `compact`: RGB 0..1, picture top left, padding 114; one output [1, N, 4 + C]."""

    name = PACKAGE
    settings = LibreYoloSettings

    def given(self, parameters: dict[str, Any]) -> LibreYoloSettings:
        """See `OutsideTrainer.given`."""
        given = super().given(parameters)
        chosen("size", given.size, SIZES)
        return given

    def signature(self, labels: tuple[str, ...], parameters: dict[str, Any]) -> Signature:
        """How a device feeds the exported model and reads its output."""
        side = self.given(parameters).input_side
        return Signature(head="compact", input_width=side, input_height=side, labels=labels)

    def fit(
        self, job: TrainJob, given: LibreYoloSettings, last: Path | None, report: Callable[[Progress], None]
    ) -> None:
        """See `OutsideTrainer.fit`."""
        if last is not None:  # it may come from another worker, and the package reads it as if it were its own
            check_plain(last, "training.checkpoint_unreadable")
        package = imported(PACKAGE)
        data = write_folder(job, job.workdir / "data")
        start = last or named_weights(job)
        model = package.LibreYOLO9(
            start and str(start), size=given.size, nb_classes=len(job.labels), device=given.device
        )
        model.train(
            str(data),
            epochs=given.epochs,
            batch=given.batch,
            imgsz=given.input_side,
            patience=given.patience or given.epochs,
            device=given.device,
            workers=0,
            seed=job.seed,
            project=str(job.workdir),
            name="run",
            exist_ok=True,
            resume=last is not None,
            amp=False,
            callbacks=lambda event: report(_progress(event)),
        )

    def to_onnx(self, checkpoint: Path, labels: tuple[str, ...], given: LibreYoloSettings) -> bytes:
        """See `OutsideTrainer.to_onnx`."""
        model = imported(PACKAGE).LibreYOLO9(str(checkpoint), size=given.size, nb_classes=len(labels), device="cpu")
        made = model.export(format="onnx", imgsz=given.input_side, opset=OPSET, dynamic=False)
        data: bytes = by_row(onnx.load(Path(made))).SerializeToString()
        return data


def by_row(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its first output [1, 4 + C, N] as its only one [1, N, 4 + C]."""
    graph = model.graph
    columns = graph.output[0]
    shape = [dimension.dim_value for dimension in columns.type.tensor_type.shape.dim]
    turned = onnx.helper.make_tensor_value_info("rows", onnx.TensorProto.FLOAT, [shape[0], shape[2], shape[1]])
    graph.node.append(onnx.helper.make_node("Transpose", [columns.name], ["rows"], "rows", perm=[0, 2, 1]))
    del graph.output[:]
    graph.output.append(turned)
    return model


def _progress(event: Any) -> Progress:
    scored = event.val_metrics.get(_MAP50)
    return Progress(
        epoch=event.epoch,
        epochs=event.total_epochs,
        losses={"loss": float(event.train_loss)},
        val_map50=None if scored is None else float(scored),
        message="",
    )
