"""Formats labels are written in. To add one, add a file with a class like `Coco` and a line here."""

from __future__ import annotations

from lineside.contract.errors import LinesideError
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats.coco import Coco
from lineside.server.datasets.formats.csv_boxes import Csv
from lineside.server.datasets.formats.darknet import Darknet
from lineside.server.datasets.formats.folder import Folder
from lineside.server.datasets.formats.labelstudio import LabelStudio
from lineside.server.datasets.formats.reader import Format
from lineside.server.datasets.formats.sagemaker import SageMaker
from lineside.server.datasets.formats.voc import Voc
from lineside.server.datasets.formats.yolo import Yolo

FORMATS: tuple[Format, ...] = (Coco(), Voc(), Yolo(), LabelStudio(), SageMaker(), Darknet(), Csv())
"""In this order: the first that recognises a folder reads it."""


def named(name: str) -> Format:
    """The format of this name. Raises `dataset.format_unnamed`."""
    for one in FORMATS:
        if one.name == name:
            return one
    raise LinesideError("dataset.format_unnamed", name=name, names=", ".join(one.name for one in FORMATS))


def recognise(folder: Folder, warnings: Warnings, wanted: str | None = None) -> Format:
    """The format a folder is written in, or the wanted one where it is among them. Raises `dataset.empty`,
    `dataset.format_unknown` and `dataset.format_unnamed`."""
    if not folder.files:
        raise LinesideError("dataset.empty", why="the folder has no files")
    asked = FORMATS if wanted is None else (named(wanted),)
    known = [one for one in asked if one.recognises(folder)]
    if not known:
        raise LinesideError("dataset.format_unknown", files=len(folder.files))
    for other in known[1:]:
        warnings.add("dataset.other_format", other.name)
    return known[0]
