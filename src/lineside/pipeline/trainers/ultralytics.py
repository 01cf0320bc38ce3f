"""Trainer `ultralytics`: YOLO of the package of that name, which is AGPL-3.0: install it only if that suits you.

A thin plug-in of the extra `ultralytics`, which no other extra brings. The package trains, from scratch: its published
weights are files with code in them. What it exports is read by head `yolov8`.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lineside.contract.model import Signature
from lineside.pipeline.trainers.base import Progress, TrainJob
from lineside.pipeline.trainers.outside import OPSET, OutsideSettings, OutsideTrainer, imported, write_folder
from lineside.pipeline.trainers.settings import chosen

PACKAGE = "ultralytics"
FOLDERS = {"yolov8": "v8", "yolo11": "11", "yolo12": "12"}
NETWORKS = tuple(f"{family}{size}" for family in FOLDERS for size in "nsmlx")
_MAP50 = "metrics/mAP50(B)"


class UltralyticsSettings(OutsideSettings, frozen=True, kw_only=True):
    """Which of its networks, and for how long."""

    network: str = "yolov8n"  # one of NETWORKS
    minutes: float = 0.0  # over 0: wall time in place of epochs


class UltralyticsTrainer(OutsideTrainer[UltralyticsSettings]):
    """Head `yolov8`: RGB 0..1, picture in the middle, padding 114; one output [1, 4 + C, N]."""

    name = PACKAGE
    settings = UltralyticsSettings

    def given(self, parameters: dict[str, Any]) -> UltralyticsSettings:
        """See `OutsideTrainer.given`. The package would take a path or an address for a network: a run names one."""
        given = super().given(parameters)
        chosen("network", given.network, NETWORKS)
        return given

    def signature(self, labels: tuple[str, ...], parameters: dict[str, Any]) -> Signature:
        """How a device feeds the exported model and reads its output."""
        side = self.given(parameters).input_side
        return Signature(head="yolov8", input_width=side, input_height=side, letterbox="centre", labels=labels)

    def fit(
        self,
        job: TrainJob,
        given: UltralyticsSettings,
        last: Path | None,
        report: Callable[[Progress], None],
    ) -> None:
        """See `OutsideTrainer.fit`."""
        package = _package()
        data = write_folder(job, job.workdir / "data")
        model = package.YOLO(str(last or described(Path(package.__file__).parent, given.network)))
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
            resume=last is not None,
        )

    def to_onnx(self, checkpoint: Path, labels: tuple[str, ...], given: UltralyticsSettings) -> bytes:
        """See `OutsideTrainer.to_onnx`."""
        model = _package().YOLO(str(checkpoint))
        side = given.input_side
        made = model.export(format="onnx", imgsz=side, opset=OPSET, simplify=False, dynamic=False, nms=False)
        return Path(made).read_bytes()


def described(package: Path, network: str) -> Path:
    """The package's own description of a network: by its name alone, a file of the working directory would be taken."""
    return package / "cfg" / "models" / FOLDERS[network[:-1]] / f"{network}.yaml"


def _package() -> Any:
    """The package, which fetches nothing, tells nobody, and reads weights without code; all are its own switches, read
    when it is imported, but for one: for a font it asks the network in any case."""
    os.environ |= {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "ULTRALYTICS_SAFE_LOAD": "true"}
    package = imported(PACKAGE)
    importlib.import_module(f"{PACKAGE}.data.utils").check_font = lambda font: None  # type: ignore[attr-defined]
    return package


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
