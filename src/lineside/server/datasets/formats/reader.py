"""What a format's reader gets and gives. A folder is a listing of paths; files are read by path."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Protocol

from lineside.contract.dataset import LabelSource, Split
from lineside.contract.errors import LinesideError
from lineside.server.datasets.counted import Warnings
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


class Folder:
    """The files of an import by path (relative, with "/")."""

    def __init__(self, files: Mapping[str, str], read: Callable[[str], bytes]) -> None:
        """`files` maps path to digest, `read` gives the bytes of a path. Raises `dataset.path_refused`,
        `dataset.same_name` for two paths that are one where case does not count, or a file that is a folder too."""
        self.files = dict(sorted(files.items()))
        self.read = read
        for path in self.files:
            parts = path.split("/")
            if is_outside(path) or "\\" in path or "." in parts or not all(parts):
                raise LinesideError("dataset.path_refused", path=path)
        folded = sorted((path.casefold().split("/"), path) for path in self.files)
        for (parts, first), (others, second) in pairwise(folded):
            if others[: len(parts)] == parts:
                raise LinesideError("dataset.same_name", first=first, second=second)

    def named(self, *suffixes: str) -> list[str]:
        """Paths that end in one of the suffixes, without regard to case."""
        return [path for path in self.files if path.casefold().endswith(suffixes)]

    def first(self, paths: Iterable[str]) -> str | None:
        """The first of some paths that is there."""
        return next((path for path in paths if path in self.files), None)

    def ending(self, tail: str) -> list[str]:
        """All files whose path ends in these parts."""
        return [path for path in self._by_name[PurePosixPath(tail).name] if f"/{path}".endswith(f"/{tail}")]

    @cached_property
    def depth(self) -> int:
        """The most parts that a file's path has; at least 1."""
        return max((path.count("/") + 1 for path in self.files), default=1)

    @cached_property
    def _by_name(self) -> Mapping[str, list[str]]:
        names: dict[str, list[str]] = defaultdict(list)
        for path in self.files:
            names[PurePosixPath(path).name].append(path)
        return names


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


def is_outside(path: str) -> bool:
    """Whether a path is empty, absolute, has a NUL, or climbs out of its folder."""
    parts = path.replace("\\", "/").split("/")
    return path.startswith(("/", "\\")) or ":" in parts[0] or "\0" in path or ".." in parts or not parts[-1]


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
