"""Trainers of other packages: whether one is installed, and pictures and labels as a folder in YOLO's format."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import yaml
from PIL import Image

from lineside.contract.errors import LinesideError
from lineside.pipeline.files import write_whole
from lineside.pipeline.trainers.base import TrainImage, TrainJob
from lineside.runtime.decode import decode


def imported(package: str) -> ModuleType:
    """The package; error: training.package_missing."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise LinesideError("training.package_missing", name=package, why=str(error)) from error


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


def starting_weights(job: TrainJob) -> Path | None:
    """The starting weights under a name that says what they are."""
    if job.init is None:
        return None
    named = job.workdir / "init.pt"
    write_whole(named, job.init.read_bytes())
    return named


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
