"""What a format's writer gets and gives: a dataset version going out, file by file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

from lineside.contract.dataset import ImageRecord, LabelSource
from lineside.server.datasets.counted import Warnings


class Taken:
    """Paths that lie in one folder together, also where upper and lower case are the same."""

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()
        for path in paths:
            self.add(path)

    def add(self, path: str) -> None:
        """It is there now."""
        place = PurePosixPath(path.casefold())
        self._files.add(str(place))
        self._folders.update(map(str, place.parents))

    def is_free(self, path: str) -> bool:
        """Whether there is neither a file nor a folder of this name, and no file where it needs a folder."""
        place = PurePosixPath(path.casefold())
        return not (str(place) in self._files or str(place) in self._folders) and self._has_room(place)

    def free(self, path: str) -> str:
        """The path, or one with a number."""
        place, number, found = PurePosixPath(path), 0, path
        while not self.is_free(found):
            number += 1
            if self._has_room(PurePosixPath(path.casefold())):
                found = str(place.with_stem(f"{place.stem}-{number}"))
            else:
                found = str(PurePosixPath(f"{place.parts[0]}-{number}", *place.parts[1:]))
        return found

    def _has_room(self, place: PurePosixPath) -> bool:
        return self._files.isdisjoint(map(str, place.parents))


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
        """The path, or one with a number where an image, or a folder of images, is called so."""
        return self._taken.free(path)

    def pictures(self) -> Iterator[Stored]:
        """Every image under its own name."""
        return (Stored(image.file_name, image.digest) for image in self.images())

    @cached_property
    def _taken(self) -> Taken:
        return Taken(image.file_name for image in self.images())


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
