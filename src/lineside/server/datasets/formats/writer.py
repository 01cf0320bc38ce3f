"""What a format's writer gets and gives: a dataset version going out, file by file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

from lineside.contract.dataset import ImageRecord, LabelSource
from lineside.server.datasets.counted import Warnings


@dataclass(frozen=True)
class Stored:
    """A file that is a blob already."""

    path: str
    digest: str


@dataclass(frozen=True)
class Made:
    """A file that the writer makes, in pieces."""

    path: str
    pieces: Iterable[bytes]


@dataclass(frozen=True)
class Export:
    """A dataset version. `images` goes through its images from the start each time, a page in memory."""

    classes: tuple[str, ...]
    origin: str
    created_at: str
    images: Callable[[], Iterator[ImageRecord]]
    warnings: Warnings = field(default_factory=Warnings)

    def free(self, path: str) -> str:
        """The path, or one with a number where an image has it."""
        place, number, found = PurePosixPath(path), 0, path
        while found.casefold() in self._taken:
            number += 1
            found = str(place.with_stem(f"{place.stem}-{number}"))
        return found

    def pictures(self) -> Iterator[Stored]:
        """Every image under its own name."""
        return (Stored(image.file_name, image.digest) for image in self.images())

    @cached_property
    def _taken(self) -> set[str]:
        return {image.file_name.casefold() for image in self.images()}


def lose(export: Export, image: ImageRecord) -> None:
    """Count what a format has no words for: the group, who labelled, when it was taken."""
    if image.group is not None:
        export.warnings.add("dataset.group_unsaid", image.file_name)
    if isinstance(image.taken_at, str):
        export.warnings.add("dataset.time_unsaid", image.file_name)
    for box in image.boxes:
        if box.source is not None:
            export.warnings.add("dataset.source_unsaid", f"{image.file_name}: {box.label}")


def plain_source(source: LabelSource) -> dict[str, object]:
    """Who labelled, as plain data."""
    written = {"kind": source.kind.value, "by": source.by, "version": source.version, "reviewed": source.reviewed}
    return {key: value for key, value in written.items() if value}
