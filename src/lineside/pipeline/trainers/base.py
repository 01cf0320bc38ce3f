"""What every trainer offers, and how one is found by its name."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature

ENTRY_POINTS = "lineside.trainers"


class TrainImage(msgspec.Struct, frozen=True):
    """A labelled picture; a box is class index, x, y, width, height in pixels of the original after EXIF rotation."""

    path: Path
    boxes: list[tuple[int, float, float, float, float]]


class TrainJob(msgspec.Struct, kw_only=True):
    """Everything one training needs. `workdir` keeps the last epoch, so that a killed job goes on from there."""

    train: list[TrainImage]
    val: list[TrainImage]
    labels: tuple[str, ...]
    parameters: dict[str, Any]
    seed: int
    init: Path | None
    workdir: Path
    threads: int


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """One word from a training: after each epoch (1-based), and with epoch 0 for what was noticed before the first."""

    epoch: int
    epochs: int
    losses: dict[str, float]
    val_map50: float | None
    message: str


class Trainer(Protocol):
    """A training backend.

    What is absent from `parameters` has the value of `defaults`. A name that is not there is refused
    (`training.parameter_unknown`), and so is a value of another type or range (`training.parameter_invalid`).
    """

    name: str

    def defaults(self) -> dict[str, Any]:
        """Every parameter with its default."""
        ...

    def signature(self, labels: tuple[str, ...], parameters: dict[str, Any]) -> Signature:
        """How a device feeds the exported model and reads its output."""
        ...

    def train(self, job: TrainJob, report: Callable[[Progress], None]) -> Path:
        """Train, and return the checkpoint with the final (averaged) weights.

        The same job with the same `workdir` goes on after the last epoch written there, which it reports once more (it
        may have been killed before anybody heard), and returns at once when it is finished. An exception raised by
        `report` stops the training; the last epoch stays on disk.

        Errors: training.no_images, training.no_boxes, training.init_unreadable, training.init_mismatch,
        training.image_unreadable, and those of parameters.
        """
        ...

    def export(self, checkpoint: Path, labels: tuple[str, ...], parameters: dict[str, Any], target: Path) -> None:
        """Write the checkpoint as an ONNX file for one picture at a time; errors: training.checkpoint_unreadable."""
        ...


def trainer(name: str) -> Trainer:
    """The installed trainer of that name; error: training.trainer_unknown, which names those there are."""
    found = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name not in found:
        raise LinesideError("training.trainer_unknown", name=name, installed=", ".join(sorted(found)))
    made: Trainer = found[name].load()()
    return made


def complete(defaults: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    """Defaults with the changed parameters in their place, each of its default's type.

    Errors: training.parameter_unknown, training.parameter_invalid.
    """
    for name, value in changed.items():
        if name not in defaults:
            raise LinesideError("training.parameter_unknown", name=name, known=", ".join(sorted(defaults)))
        if not _is_like(value, defaults[name]):
            kind = type(defaults[name]).__name__
            raise LinesideError("training.parameter_invalid", name=name, value=value, why=f"it must be a {kind}")
    return {name: type(default)(changed.get(name, default)) for name, default in defaults.items()}


def _is_like(value: object, default: object) -> bool:
    if isinstance(value, bool) or isinstance(default, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    return isinstance(value, type(default))
