"""From what a folder says and what its pictures are to image records: boxes in pixels, checked against the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import UNSET

from lineside.contract.dataset import Box, ImageRecord
from lineside.contract.errors import LinesideError
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats.reader import LabelledBox, LabelledImage, Reading
from lineside.server.datasets.pictures.looks import Look
from lineside.server.datasets.splitting import Known, Seen, divide

if TYPE_CHECKING:
    from lineside.server.datasets.pictures.patches import Patch

_ROUNDING = 0.5  # pixels a box may reach over the edge without a word
_DECIMALS = 3


@dataclass(frozen=True)
class Kept:
    """An image that stays: what was said about it, what it is, and its boxes in pixels."""

    labelled: LabelledImage
    digest: str
    picture: Look
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Assembled:
    """The images of a dataset version in the order of their names, and what split them."""

    images: tuple[ImageRecord, ...]
    split_by: str


def keep(image: LabelledImage, digest: str, picture: Look | None, warnings: Warnings) -> Kept | None:
    """The image with its boxes, or None when it must be left out."""
    if picture is None:
        warnings.add("dataset.image_unreadable", image.path)
        return None
    if image.declared is not None and image.declared != (picture.width, picture.height):
        declared = f"{image.declared[0]} x {image.declared[1]}"
        example = f"{image.path}: {declared} said, {picture.width} x {picture.height} found"
        warnings.add("dataset.size_differs", example, image.path)
        return None
    boxes = [_box(box, image.path, picture, warnings) for box in image.boxes]
    return Kept(image, digest, picture, tuple(box for box in boxes if box is not None))


def assemble(
    reading: Reading, kept: Sequence[Kept], patches: Sequence[Patch], warnings: Warnings, known: Known | None = None
) -> Assembled:
    """Records with group and split; `patches` in the order of `kept`, `known` by earlier versions of the series.

    Raises `dataset.mostly_bad`, `dataset.empty`.
    """
    harmed, total = len(warnings.harmed), len(warnings.harmed | {image.path for image in reading.images})
    if 2 * harmed > total:
        raise LinesideError("dataset.mostly_bad", bad=harmed, total=total, reasons=warnings.reasons())
    if not kept:
        raise LinesideError("dataset.empty", why="no labelled image is in it")
    if not reading.classes:
        raise LinesideError("dataset.empty", why="no class is declared")
    pairs = sorted(zip(kept, patches, strict=True), key=lambda pair: pair[0].labelled.path)
    ordered = [image for image, _ in pairs]
    _count_twice(ordered, warnings)
    splitting = divide([_seen(image, patch) for image, patch in pairs], warnings, known)
    records = tuple(
        ImageRecord(
            digest=image.digest,
            file_name=image.labelled.path,
            width=image.picture.width,
            height=image.picture.height,
            group=group,
            split=side,
            boxes=image.boxes,
            taken_at=image.labelled.taken_at or UNSET,
        )
        for image, group, side in zip(ordered, splitting.groups, splitting.sides, strict=True)
    )
    return Assembled(records, splitting.by)


def _seen(image: Kept, patch: Patch) -> Seen:
    labelled = image.labelled
    return Seen(labelled.path, image.digest, patch, labelled.group, labelled.split)


def _count_twice(kept: Sequence[Kept], warnings: Warnings) -> None:
    first: dict[str, str] = {}
    for image in kept:
        other = first.setdefault(image.digest, image.labelled.path)
        if other != image.labelled.path:
            warnings.add("dataset.same_picture", f"{other} and {image.labelled.path}")


def _box(box: LabelledBox, path: str, picture: Look, warnings: Warnings) -> Box | None:
    """The box in pixels, clipped to the picture; None when nothing of it is left."""
    wide, high = (picture.width, picture.height) if box.relative else (1, 1)
    left, top, width, height = box.x * wide, box.y * high, box.width * wide, box.height * high
    example = f"{path}: {box.label} at {left:g}, {top:g}, {width:g} x {height:g}"
    if width <= 0 or height <= 0:
        warnings.add("dataset.box_empty", example, path)
        return None
    right, bottom = min(left + width, picture.width), min(top + height, picture.height)
    x, y = max(left, 0.0), max(top, 0.0)
    if right <= x or bottom <= y:
        warnings.add("dataset.box_outside", example, path)
        return None
    if max(x - left, y - top, left + width - right, top + height - bottom) > _ROUNDING:
        warnings.add("dataset.box_clipped", example, path)
    return Box(
        label=box.label,
        x=round(x, _DECIMALS),
        y=round(y, _DECIMALS),
        width=round(right - x, _DECIMALS),
        height=round(bottom - y, _DECIMALS),
        source=box.source,
    )
