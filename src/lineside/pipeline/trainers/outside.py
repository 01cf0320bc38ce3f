"""Trainers of other packages: what they have in common, and pictures and labels as a folder in YOLO's format.

Files of weights may hold code, which runs in whoever reads them carelessly: none is read that was not seen to hold
none, or by a reader that takes none. Nothing that a run says is handed on as a path or an address.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
import numpy as np
import yaml
from PIL import Image

from lineside.contract.errors import LinesideError
from lineside.contract.run import FROM_SCRATCH
from lineside.pipeline.files import write_whole
from lineside.pipeline.trainers import checkpoint as checkpoints
from lineside.pipeline.trainers.base import Progress, TrainImage, TrainJob, complete
from lineside.pipeline.trainers.settings import STRIDES, chosen, invalid
from lineside.runtime.decode import decode

OPSET = 17
_LAST, _FINAL = "run/weights/last.pt", "final.pt"


class OutsideSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What both packages are told."""

    input_side: int = 320  # pixels, a multiple of 32
    epochs: int = 100
    batch: int = 8
    patience: int = 0  # epochs without a better score on val after which training ends; 0: never early
    device: str = "cpu"  # or cuda


S = TypeVar("S", bound=OutsideSettings)


class OutsideTrainer(Generic[S]):
    """The half of `Trainer` that is the same for both packages; `fit` and `to_onnx` are the package's own."""

    name: ClassVar[str]
    keeps = (_LAST,)
    settings: type[S]

    def defaults(self) -> dict[str, Any]:
        """Every parameter with its default."""
        values: dict[str, Any] = msgspec.to_builtins(self.settings())
        return values

    def given(self, parameters: dict[str, Any]) -> S:
        """Parameters as a value; errors: training.parameter_unknown, training.parameter_invalid."""
        given = msgspec.convert(complete(self.defaults(), parameters), self.settings)
        chosen("device", given.device, ("cpu", "cuda"))
        for name, least in (("input_side", STRIDES[-1]), ("epochs", 1), ("batch", 1), ("patience", 0)):
            if getattr(given, name) < least:
                raise invalid(name, getattr(given, name), f"it must be at least {least}")
        if given.input_side % STRIDES[-1]:
            raise invalid("input_side", given.input_side, f"it must be a multiple of {STRIDES[-1]}")
        return given

    def train(self, job: TrainJob, report: Callable[[Progress], None]) -> Path:
        """See `Trainer.train`; errors besides: training.package_missing, training.init_refused."""
        given, final, last = self.given(job.parameters), job.workdir / _FINAL, job.workdir / _LAST
        check_init(self.name, job)
        if not final.exists():
            self.fit(job, given, last if last.exists() else None, report)
            write_whole(final, last.read_bytes())
        return final

    def export(self, checkpoint: Path, labels: tuple[str, ...], parameters: dict[str, Any], target: Path) -> None:
        """See `Trainer.export`; error besides: training.package_missing."""
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            named = Path(folder) / "model.pt"  # the packages know files by their endings, which blobs have none of
            write_whole(named, checkpoint.read_bytes())
            write_whole(target, self.to_onnx(named, labels, self.given(parameters)))

    def fit(self, job: TrainJob, given: S, last: Path | None, report: Callable[[Progress], None]) -> None:
        """Train into `job.workdir`, so that the checkpoint lies at `keeps`: from `last` on, where it is there."""
        raise NotImplementedError

    def to_onnx(self, checkpoint: Path, labels: tuple[str, ...], given: S) -> bytes:
        """The exported file."""
        raise NotImplementedError


def imported(package: str) -> ModuleType:
    """The package; error: training.package_missing."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise LinesideError("training.package_missing", name=package, why=str(error)) from error


def check_init(name: str, job: TrainJob) -> None:
    """Starting weights are taken, and hold no code; errors: training.init_refused, training.init_unreadable."""
    if job.init is None:
        return
    if name in FROM_SCRATCH:
        raise LinesideError("training.init_refused", name=name)
    check_plain(job.init, "training.init_unreadable")


def check_plain(file: Path, code: str) -> None:
    """A file by torch holds tensors and plain values and no code; else the error `code`."""
    try:
        checkpoints.load(file)
    except checkpoints.UNREADABLE as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise LinesideError(code, file=file.name, why=why) from error


def named_weights(job: TrainJob) -> Path | None:
    """The starting weights under a name that says what they are."""
    if job.init is None:
        return None
    named = job.workdir / "init.pt"
    write_whole(named, job.init.read_bytes())
    return named


def write_folder(job: TrainJob, folder: Path) -> Path:
    """Pictures, upright and as PNG (blobs have no endings), and a text file of boxes beside each; the `data.yaml`.

    Without val pictures those to train on are scored, because these packages want some. Errors:
    training.no_images, training.no_boxes, training.image_unreadable.
    """
    if not job.train:
        raise LinesideError("training.no_images")
    if not any(image.boxes for image in job.train):
        raise LinesideError("training.no_boxes", images=len(job.train))
    for side, images in (("train", job.train), ("val", job.val or job.train)):
        _write_side(images, folder / "images" / side, folder / "labels" / side)
    about = {"path": str(folder), "train": "images/train", "val": "images/val", "names": dict(enumerate(job.labels))}
    write_whole(folder / "data.yaml", yaml.safe_dump(about).encode())
    return folder / "data.yaml"


def _write_side(images: Sequence[TrainImage], pictures: Path, labels: Path) -> None:
    pictures.mkdir(parents=True, exist_ok=True)
    labels.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        width, height = _write_picture(image, pictures / f"{number:06}.png")
        lines = [_line(box, width, height) for box in image.boxes]
        write_whole(labels / f"{number:06}.txt", "".join(lines).encode())


def _write_picture(image: TrainImage, target: Path) -> tuple[int, int]:
    try:
        picture = decode(image.path.read_bytes())
    except (OSError, LinesideError) as error:
        raise LinesideError("training.image_unreadable", path=image.path, why=error) from error
    pixels = np.asarray(picture.image)
    Image.fromarray(pixels).save(target)
    return pixels.shape[1], pixels.shape[0]


def _line(box: tuple[int, float, float, float, float], width: int, height: int) -> str:
    kind, x, y, w, h = box
    return f"{kind} {(x + w / 2) / width:.6f} {(y + h / 2) / height:.6f} {w / width:.6f} {h / height:.6f}\n"
