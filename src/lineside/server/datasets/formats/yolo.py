"""YOLO: one text file an image below `labels/`, `class x y width height` in parts of the image, centre first;
names of the classes in `data.yaml` or `classes.txt` (Ultralytics dataset format).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.errors import LinesideError
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats.classes import checked, listed
from lineside.server.datasets.formats.reader import SIDES, Folder, LabelledBox, LabelledImage, Reading, side_of
from lineside.server.datasets.formats.text import text, unreadable, yaml_value
from lineside.server.datasets.formats.writer import Export, Made, Stored, lose
from lineside.server.datasets.pictures import is_picture


class Yolo:
    """The format."""

    name = "yolo"
    lists = False

    def recognises(self, folder: Folder) -> bool:
        if _description(folder) is not None:
            return True
        return bool(_labels(folder)) and any(_in(path, "images") for path in folder.files)

    def read(self, folder: Folder, warnings: Warnings) -> Reading:
        labels = _labels(folder)
        classes, sides = _classes(folder, labels), _sides(folder)
        images = _pictures(folder, labels)
        boxes: dict[str, tuple[LabelledBox, ...]] = {}
        for stem, label in labels.items():
            if stem not in images:
                warnings.add("dataset.image_missing", f"{stem} ({label})")
                continue
            found = _boxes(folder, label, images[stem], classes, warnings)
            if found is None:
                del images[stem]
            else:
                boxes[stem] = found
        for stem, path in images.items():
            if stem not in labels:
                warnings.add("dataset.image_unlabelled", path)
        return Reading(
            classes=classes,
            images=tuple(
                LabelledImage(path, boxes.get(stem, ()), split=sides.get(path) or _side(path))
                for stem, path in images.items()
            ),
        )

    def write(self, export: Export) -> Iterator[Stored | Made]:
        """`images/**` and `labels/**`, `data.yaml`, and a list of images for each side."""
        numbers = {name: number for number, name in enumerate(export.classes)}
        sides: dict[Split, list[str]] = {side: [] for side in Split}
        stems: set[str] = set()
        for image in export.images():
            if len(image.file_name.splitlines()) > 1 or image.file_name != image.file_name.strip():
                export.warnings.add("dataset.name_unsaid", repr(image.file_name))
                continue
            lose(export, image)
            path = _place(export, image.file_name, stems)
            sides[image.split].append(path)
            yield Stored(path, image.digest)
            yield Made(f"{_exchanged(path, 'images', 'labels')}.txt", [_written(image, numbers)])
        yield from _described(export, sides)


def _description(folder: Folder) -> str | None:
    """`data.yaml`, or another YAML file with `names`; the one nearest to the top."""
    files = [path for path in folder.named(".yaml", ".yml") if b"names" in folder.read(path)]
    return min(files, key=lambda path: (PurePosixPath(path).name != "data.yaml", path.count("/"), path), default=None)


def _in(path: str, part: str) -> bool:
    return part in PurePosixPath(path).parts[:-1]


def _labels(folder: Folder) -> dict[str, str]:
    """Label files by the path of their image without extension."""
    labels: dict[str, str] = {}
    for path in folder.named(".txt"):
        if _in(path, "labels"):
            labels[_stem(path, "labels")] = path
    return labels


def _stem(path: str, part: str) -> str:
    """A path without extension, its last folder `part` called `images`."""
    return _exchanged(path, part, "images")


def _exchanged(path: str, part: str, other: str) -> str:
    """A path without extension, its last folder `part` called `other`."""
    place = PurePosixPath(path)
    parts = list(place.parts)
    at = len(parts) - 2 - parts[-2::-1].index(part)
    parts[at] = other
    return str(PurePosixPath(*parts).with_suffix("")) if place.suffix else "/".join(parts)


def _pictures(folder: Folder, labels: dict[str, str]) -> dict[str, str]:
    """Image files by path without extension; two of one name are one too many, whichever label they meant."""
    named: dict[str, list[str]] = defaultdict(list)
    for path in folder.files:
        if _in(path, "images"):
            named[_stem(path, "images")].append(path)
    pictures: dict[str, str] = {}
    for stem, paths in named.items():
        if len(paths) > 1 or stem not in labels:
            paths = [path for path in paths if is_picture(folder.read(path))]
        if len(paths) > 1:
            label = labels.get(stem, "its label")
            raise LinesideError("dataset.name_ambiguous", file=label, name=stem, first=paths[0], second=paths[1])
        if paths:
            pictures[stem] = paths[0]
    return pictures


def _side(path: str) -> Split | None:
    """`images/train/a.jpg` and `train/images/a.jpg` both say train."""
    sides = [side for part in PurePosixPath(path).parts[:-1] if (side := side_of(part))]
    return sides[-1] if sides else None


def _sides(folder: Folder) -> dict[str, Split]:
    """What lists of images say that `data.yaml` names: `train: train.txt`."""
    description = _description(folder)
    value = yaml_value(description, folder.read(description)) if description is not None else None
    home, sides = PurePosixPath(description or "").parent, dict[str, Split]()
    for key, side in SIDES.items():
        written = value.get(key) if isinstance(value, dict) else None
        for name in written if isinstance(written, list) else [written]:
            path = str(home / name) if isinstance(name, str) and name.endswith(".txt") else ""
            if path in folder.files:
                lines = text(path, folder.read(path)).splitlines()
                sides |= {str(PurePosixPath(path).parent / line.strip()): side for line in lines if line.strip()}
    return sides


def _classes(folder: Folder, labels: dict[str, str]) -> tuple[str, ...]:
    description = _description(folder)
    if description is not None:
        return _names(description, yaml_value(description, folder.read(description)))
    if names := listed(folder):
        return names
    highest = max((index for path in labels.values() for index in _indices(folder.read(path))), default=-1)
    return tuple(str(index) for index in range(min(highest, 9999) + 1))


def _names(file: str, value: Any) -> tuple[str, ...]:
    names = value.get("names") if isinstance(value, dict) else None
    if isinstance(names, dict):
        if sorted(names, key=str) != sorted(range(len(names)), key=str):
            raise unreadable(file, "`names` must number the classes from 0 without a gap")
        names = [names[index] for index in range(len(names))]
    if not isinstance(names, list) or not names or not all(isinstance(name, str | int) for name in names):
        raise unreadable(file, "it has no list `names` of class names")
    return checked(file, [str(name).strip() for name in names])


def _indices(data: bytes) -> list[int]:
    first = [line.split()[0] for line in data.splitlines() if line.split()]
    return [int(word) for word in first if word.isdigit() and len(word) < 6]


def _boxes(
    folder: Folder, file: str, image: str, classes: tuple[str, ...], warnings: Warnings
) -> tuple[LabelledBox, ...] | None:
    """The boxes of one label file; None when it cannot be read at all."""
    try:
        lines = text(file, folder.read(file)).splitlines()
    except LinesideError as error:
        warnings.add("dataset.label_unreadable", error.message, image)
        return None
    boxes = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            box = _box(line.split(), f"{file}, line {number}", image, classes, warnings)
            boxes += [box] if box else []
    return tuple(boxes)


def _box(words: list[str], where: str, image: str, classes: tuple[str, ...], warnings: Warnings) -> LabelledBox | None:
    try:
        index, values = int(words[0]), [float(word) for word in words[1:]]
    except ValueError:
        index, values = -1, []
    if len(values) >= 6 and len(values) % 2 == 0:
        values = _around(values)
    if len(values) not in (4, 5) or not all(math.isfinite(value) and abs(value) < 1e4 for value in values):
        warnings.add("dataset.box_invalid", where, image)  # five: a confidence at the end
        return None
    if not 0 <= index < len(classes):
        warnings.add("dataset.class_unknown", f"{where}: class {index}", image)
        return None
    x, y, width, height = values[:4]
    return LabelledBox(classes[index], x - width / 2, y - height / 2, width, height, relative=True)


def _around(points: list[float]) -> list[float]:
    """The box around a polygon, as centre and size."""
    xs, ys = points[0::2], points[1::2]
    return [(min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2, max(xs) - min(xs), max(ys) - min(ys)]


def _place(export: Export, file_name: str, stems: set[str]) -> str:
    """Where an image goes: below a folder `images`, under a name that no other label file has."""
    place = PurePosixPath(file_name if _in(file_name, "images") else f"images/{file_name}")
    stem, number = place.stem, 0
    while _stem(str(place), "images").casefold() in stems:
        number += 1
        place = place.with_stem(f"{stem}-{number}")
    stems.add(_stem(str(place), "images").casefold())
    if str(place) != file_name:
        export.warnings.add("dataset.name_changed", f"{file_name}: {place}")
    return str(place)


def _written(image: ImageRecord, numbers: Mapping[str, int]) -> bytes:
    lines = []
    for box in image.boxes:
        x, y = (box.x + box.width / 2) / image.width, (box.y + box.height / 2) / image.height
        values = (x, y, box.width / image.width, box.height / image.height)
        lines.append(" ".join([str(numbers[box.label]), *(f"{value:.12g}" for value in values)]) + "\n")
    return "".join(lines).encode()


def _described(export: Export, sides: Mapping[Split, list[str]]) -> Iterator[Made]:
    description: dict[str, object] = {"path": "."}
    for side, paths in sides.items():
        name = f"{side.value}.txt"
        description[side.value] = name
        yield Made(name, ["".join(f"./{path}\n" for path in paths).encode()])
    description["names"] = dict(enumerate(export.classes))
    yield Made("data.yaml", [yaml.safe_dump(description, sort_keys=False, allow_unicode=True).encode()])
