"""What a format's reader gives, and what sides of a split are called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from lineside.contract.dataset import LabelSource, Split
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats.folder import Folder
from lineside.server.datasets.formats.writer import Export, Made, Stored

SIDES = {"train": Split.TRAIN, "training": Split.TRAIN, "val": Split.VAL, "valid": Split.VAL} | {
    "validation": Split.VAL,
    "test": Split.TEST,
    "testing": Split.TEST,
}
"""What folders, files and annotations call the sides of a split."""


@dataclass(frozen=True)
class LabelledBox:
    """A box as it was written: top left corner and size, in pixels, or in parts of the image when `relative`."""

    label: str
    x: float
    y: float
    width: float
    height: float
    relative: bool = False
    source: LabelSource | None = None


@dataclass(frozen=True)
class LabelledImage:
    """An image that is in the folder, with what the annotations say. `declared` is the width and height they claim."""

    path: str
    boxes: tuple[LabelledBox, ...] = ()
    group: str | None = None
    split: Split | None = None
    declared: tuple[int, int] | None = None
    taken_at: str | None = None


@dataclass(frozen=True)
class Reading:
    """All a folder says, before any image was looked at. `pending` are images that nobody has labelled yet."""

    classes: tuple[str, ...]
    images: tuple[LabelledImage, ...]
    origin: str | None = None
    pending: frozenset[str] = frozenset()


class Format(Protocol):
    """One way of writing labels down. `lists` when an image that its labels do not name was left out of them."""

    name: str
    lists: bool

    def recognises(self, folder: Folder) -> bool:
        """Whether the folder is written this way."""
        ...

    def read(self, folder: Folder, warnings: Warnings) -> Reading:
        """What it says. Raises a `dataset.…` error when the whole cannot be trusted; counts what concerns one image."""
        ...

    def write(self, export: Export) -> Iterator[Stored | Made]:
        """The files of a folder that reads back as the same version; counts what the format cannot say."""
        ...


def side_of(text: str) -> Split | None:
    """The side a word names: `train`, `valid`, `instances_val2017`."""
    words = "".join(letter if letter.isalpha() else " " for letter in text.casefold()).split()
    sides = {SIDES[word] for word in words if word in SIDES}
    return sides.pop() if len(sides) == 1 else None


def split_of(written: object, path: str, warnings: Warnings) -> Split | None:
    """The side that an image's own annotation names, if it does; counts a word that is none."""
    if written is None or written == "":
        return None
    side = side_of(written) if isinstance(written, str) else None
    if side is None:
        warnings.add("dataset.split_unknown", f"{path}: {written}"[:200])
    return side
