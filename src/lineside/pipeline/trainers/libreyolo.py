"""Trainer `libreyolo`: YOLOv9 of the package of that name (MIT), a thin plug-in of the extra `libreyolo`.

The package trains; its exported file answers corners and scores by column, which are turned into rows for head
`compact`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import onnx

from lineside.contract.model import Signature
from lineside.pipeline.files import write_whole
from lineside.pipeline.trainers.base import Progress, TrainJob, complete
from lineside.pipeline.trainers.outside import imported, starting_weights, write_folder
from lineside.pipeline.trainers.settings import chosen

PACKAGE = "libreyolo"
SIZES = ("t", "s", "m", "c")
_LAST = "run/weights/last.pt"
_OPSET = 17
_MAP50 = "metrics/mAP50"


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """What is handed on to the package; starting weights are a `.pt` file of its own."""

    size: str = "t"
    input_side: int = 320  # pixels, a multiple of 32
    epochs: int = 100
    batch: int = 8
    patience: int = 0
    device: str = "cpu"


class LibreYoloTrainer:
    """Head `compact`: RGB 0..1, picture top left, padding 114; one output [1, N, 4 + C]."""

    name = PACKAGE
    keeps = (_LAST,)

    def defaults(self) -> dict[str, Any]:
        """Every parameter with its default."""
        values: dict[str, Any] = msgspec.to_builtins(Parameters())
        return values

    def signature(self, labels: tuple[str, ...], parameters: dict[str, Any]) -> Signature:
        """How a device feeds the exported model and reads its output."""
        side = self._given(parameters).input_side
        return Signature(head="compact", input_width=side, input_height=side, labels=labels)

    def train(self, job: TrainJob, report: Callable[[Progress], None]) -> Path:
        """See `Trainer.train`; error besides: training.package_missing."""
        given, final, last = self._given(job.parameters), job.workdir / "final.pt", job.workdir / _LAST
        if final.exists():
            return final
        package = imported(PACKAGE)
        data = write_folder(job, job.workdir / "data")
        start = last if last.exists() else starting_weights(job)
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
            resume=last.exists(),
            amp=False,
            callbacks=lambda event: report(_progress(event)),
        )
        write_whole(final, last.read_bytes())
        return final

    def export(self, checkpoint: Path, labels: tuple[str, ...], parameters: dict[str, Any], target: Path) -> None:
        """See `Trainer.export`; error besides: training.package_missing."""
        given = self._given(parameters)
        model = imported(PACKAGE).LibreYOLO9(str(checkpoint), size=given.size, nb_classes=len(labels), device="cpu")
        made = Path(model.export(format="onnx", imgsz=given.input_side, opset=_OPSET, dynamic=False))
        write_whole(target, by_row(onnx.load(made)).SerializeToString())
        made.unlink()

    def _given(self, parameters: dict[str, Any]) -> Parameters:
        given = msgspec.convert(complete(self.defaults(), parameters), Parameters)
        chosen("size", given.size, SIZES)
        return given


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
