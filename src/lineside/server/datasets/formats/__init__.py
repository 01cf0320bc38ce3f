"""Formats labels are written in. To add one, add a file with a class like `Coco` and a line here."""

from __future__ import annotations

from lineside.contract.errors import LinesideError
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats.coco import Coco
from lineside.server.datasets.formats.reader import Folder, Format
from lineside.server.datasets.formats.voc import Voc
from lineside.server.datasets.formats.yolo import Yolo

FORMATS: tuple[Format, ...] = (Coco(), Voc(), Yolo())
"""In this order: the first that recognises a folder reads it."""


def recognise(folder: Folder, warnings: Warnings) -> Format:
    """The format a folder is written in. Raises `dataset.empty` and `dataset.format_unknown`."""
    if not folder.files:
        raise LinesideError("dataset.empty", why="the folder has no files")
    known = [one for one in FORMATS if one.recognises(folder)]
    if not known:
        raise LinesideError("dataset.format_unknown", files=len(folder.files))
    for other in known[1:]:
        warnings.add("dataset.other_format", other.name)
    return known[0]
