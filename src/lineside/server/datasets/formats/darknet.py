"""Darknet's YOLO, which CVAT calls YOLO 1.1: a text file beside each image, lists of images, and `obj.data`, which
names the lists and the file with the names of classes.

```
obj.data   obj.names   train.txt   obj_train_data/a.jpg   obj_train_data/a.txt
```
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from lineside.contract.dataset import Split
from lineside.contract.errors import LinesideError
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats.classes import checked
from lineside.server.datasets.formats.finding import locate
from lineside.server.datasets.formats.folder import DRIVE, SMALL, Folder
from lineside.server.datasets.formats.reader import SIDES, LabelledImage, Reading
from lineside.server.datasets.formats.text import text, unreadable
from lineside.server.datasets.formats.writer import Export, Made, Stored, Taken, lose
from lineside.server.datasets.formats.yolo import boxes_of, lines_of
from lineside.server.datasets.formats.yolo_places import LABELS, only, plain

_CALLED = {Split.TRAIN: "train", Split.VAL: "valid", Split.TEST: "test"}


class Darknet:
    """The format."""

    name = "darknet"
    lists = True

    def recognises(self, folder: Folder) -> bool:
        return _description(folder) is not None

    def read(self, folder: Folder, warnings: Warnings) -> Reading:
        file = _description(folder)
        if file is None:
            raise unreadable("obj.data", "it is not there")
        said = _said(folder, file)
        classes = _classes(folder, file, said)
        lists = {side: path for side, path in _lists(folder, said) if path}
        if not lists:
            raise unreadable(file, "it names no list of images that is there (train = train.txt)")
        images: dict[str, LabelledImage] = {}
        pending: set[str] = set()
        sides = lists if len(said.keys() & SIDES.keys()) > 1 else {}  # a list alone is called train, whatever it is
        for side, listing in lists.items():
            for name, path in _listed(folder, listing, warnings):
                if path in images or path in pending:
                    raise LinesideError("dataset.listed_twice", file=listing, path=path)
                label = _label(folder, name, path)
                if label is None:
                    warnings.add("dataset.image_pending", path)
                    pending.add(path)
                    continue
                boxes = boxes_of(folder, label, path, classes, warnings)
                if boxes is not None:
                    images[path] = LabelledImage(path, boxes, split=side if sides else None)
        return Reading(classes=classes, images=tuple(images.values()), pending=frozenset(pending))

    def write(self, export: Export) -> Iterator[Stored | Made]:
        """`obj_train_data/`, `obj_valid_data/` and `obj_test_data/` with images and labels, their lists, `obj.names`
        and `obj.data`."""
        numbers = {name: number for number, name in enumerate(export.classes)}
        sides: dict[Split, list[str]] = {side: [] for side in Split}
        taken = Taken(_wanted(image.split, image.file_name) for image in export.images())
        placed: set[str] = set()
        for image in export.images():
            if "\n" in image.file_name or "\r" in image.file_name:
                export.warnings.add("dataset.name_unsaid", repr(image.file_name))
                continue
            lose(export, image)
            path, label = _place(taken, placed, image.split, image.file_name)
            if path != image.file_name:
                export.warnings.add("dataset.name_changed", f"{image.file_name}: {path}")
            sides[image.split].append(path)
            yield Stored(path, image.digest)
            yield Made(label, [lines_of(image, numbers)])
        yield from _described(export, sides)


def _description(folder: Folder) -> str | None:
    """`obj.data`, or another `*.data` with `names`; the one nearest to the top."""
    files = [path for path in folder.named(".data") if folder.says(path, [b"names"], 1)]
    return min(files, key=lambda path: (PurePosixPath(path).name != "obj.data", path.count("/"), path), default=None)


def _said(folder: Folder, file: str) -> dict[str, str]:
    """What `key = value` lines say, by key."""
    lines = (line.partition("=") for line in text(file, folder.read(file, SMALL)).splitlines())
    return {key.strip().casefold(): value.strip() for key, mark, value in lines if mark}


def _classes(folder: Folder, file: str, said: dict[str, str]) -> tuple[str, ...]:
    path = only(folder, plain(said.get("names")) or "obj.names")
    if path is None:
        raise unreadable(file, "it names no file of class names that is there (names = obj.names)")
    names = [line.strip() for line in text(path, folder.read(path, SMALL)).split("\n")]
    while names and not names[-1]:
        names.pop()
    return checked(path, names)


def _lists(folder: Folder, said: dict[str, str]) -> Iterator[tuple[Split, str | None]]:
    return ((side, only(folder, plain(said[key]))) for key, side in SIDES.items() if plain(said.get(key)))


def _listed(folder: Folder, file: str, warnings: Warnings) -> Iterator[tuple[str, str]]:
    """Images of a list that are there: their names as written, and their paths. Lists of a training machine are
    absolute; what counts is how they end."""
    home = file.rpartition("/")[0]
    for _, line in folder.lines(file):
        name = line.strip("\r\n")
        if plain(f"{home}/{name}") not in folder.files:
            name = name.strip()
        if not name:
            continue
        name = name.replace("\\", "/")
        name = name[len(drive[0]) :] if (drive := DRIVE.match(name)) else name.lstrip("/")
        path = locate(folder, file, name, warnings)
        if path is not None:
            yield name, path


def _label(folder: Folder, name: str, path: str) -> str | None:
    """The label file of an image: beside it, else the only one where its name as written ends."""
    beside = _beside(path)
    return beside if beside in folder.files and beside != path else only(folder, _beside(plain(name)))


def _beside(path: str) -> str:
    """What the label file of an image is called."""
    place = PurePosixPath(path)
    return str(place.with_name(f"{place.stem}.txt"))


def _wanted(side: Split, file_name: str) -> str:
    home = f"obj_{_CALLED[side]}_data/"
    return file_name if file_name.startswith(home) else home + file_name


def _place(taken: Taken, placed: set[str], side: Split, file_name: str) -> tuple[str, str]:
    """Where an image and its label file go: both under names that nothing else has."""
    parts = [f"{part}_" if part.casefold() == LABELS else part for part in file_name.split("/")]  # no `yolo` folder
    parts[-1] += "_" * parts[-1].casefold().endswith(".txt")
    wanted = _wanted(side, "/".join(parts))
    place, number = PurePosixPath(wanted), 0
    found, theirs = wanted, _wanted(side, file_name)
    while not (
        taken.is_free(_beside(found)) and (taken.is_free(found) or (found == theirs and found.casefold() not in placed))
    ):
        number += 1
        found = str(place.with_stem(f"{place.stem}-{number}"))
    taken.add(found)
    taken.add(_beside(found))
    placed.add(found.casefold())
    return found, _beside(found)


def _described(export: Export, sides: dict[Split, list[str]]) -> Iterator[Made]:
    description = [f"classes = {len(export.classes)}\n"]
    for side, paths in sides.items():
        name = f"{_CALLED[side]}.txt"
        description.append(f"{_CALLED[side]} = {name}\n")
        yield Made(name, ["".join(f"{path}\n" for path in paths).encode()])
    yield Made("obj.names", ["".join(f"{name}\n" for name in _names(export)).encode()])
    yield Made("obj.data", ["".join([*description, "names = obj.names\n"]).encode()])


def _names(export: Export) -> list[str]:
    """Names of classes on one line each, in their order; one that cannot be written so is changed and counted."""
    found: list[str] = []
    for number, name in enumerate(export.classes):
        said = name if name == name.strip() and "\n" not in name and "\r" not in name else " ".join(name.split())
        while not said or said in found or (said != name and said in export.classes):
            said = f"{said}-{number}"
        if said != name:
            export.warnings.add("dataset.name_unsaid", repr(name))
        found.append(said)
    return found
