"""Datasets for classifiers: what a picture shows as a whole is the one label that all its boxes have."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineside.contract.dataset import Box, ImageRecord
from lineside.contract.run import RunRequest
from lineside.pipeline.parameters import trainer_parameters
from lineside.pipeline.trainers.base import trainer

HEAD = "classify"


def classifies(request: RunRequest) -> bool:
    """Whether a run's model answers with one class a picture; errors: those of the trainer's signature, so that wrong
    parameters are refused by a run's first step."""
    if request.kind == "train":
        return trainer(request.trainer).signature(("one", "other"), trainer_parameters(request)).head == HEAD
    return bool(request.parameters.get("head") == HEAD)


def whole_pictures(records: Sequence[ImageRecord]) -> list[ImageRecord]:
    """The records with one box of the whole picture each; pictures without a label, or with several, are left out."""
    return [_whole(record) for record in records if len({box.label for box in record.boxes}) == 1]


def _whole(record: ImageRecord) -> ImageRecord:
    box = Box(label=record.boxes[0].label, x=0.0, y=0.0, width=float(record.width), height=float(record.height))
    return msgspec.structs.replace(record, boxes=(box,))
