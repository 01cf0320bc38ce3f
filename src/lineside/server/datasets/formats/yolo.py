"""YOLO: one text file an image below `labels/`, `class x y width height` in parts of the image, centre first;
names of the classes in `data.yaml` or `classes.txt` (Ultralytics dataset format).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.errors import LinesideError
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats import given
from lineside.server.datasets.formats.classes import checked, listed
from lineside.server.datasets.formats.folder import SMALL, Folder
from lineside.server.datasets.formats.reader import LabelledBox, LabelledImage, Reading
from lineside.server.datasets.formats.text import text, unreadable, yaml_value
from lineside.server.datasets.formats.writer import Export, Made, Stored, lose
from lineside.server.datasets.formats.yolo_places import IMAGES, LABELS, is_in, label_files, matched, sides_of, stem_of


class Yolo:
    """The format."""

    name = "yolo"
    lists = False

    def recognises(self, folder: Folder) -> bool:
        if _description(folder) is not None:
            return True
        if not any(is_in(path, IMAGES) for path in folder.files):
            return False
        return any(not folder.is_picture(path) for path in label_files(folder))  # an image may be called so

    def read(self, folder: Folder, warnings: Warnings) -> Reading:
        labels, images = matched(folder, warnings)
        file = _description(folder)
        description = None if file is None else yaml_value(file, folder.read(file, SMALL))
        classes = listed(folder) or _numbers(folder) if file is None else _names(file, description)
        home = "" if file is None else file.rpartition("/")[0]
        sides = sides_of(folder, home, given.mapping(description), images.values())
        boxes: dict[str, tuple[LabelledBox, ...]] = {}
        for stem, label in labels.items():
            if stem not in images:
                warnings.add("dataset.image_missing", f"{stem} ({label})")
                continue
            found = boxes_of(folder, label, images[stem], classes, warnings)
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
                LabelledImage(path, boxes.get(stem, ()), split=sides.get(path)) for stem, path in images.items()
            ),
        )

    def write(self, export: Export) -> Iterator[Stored | Made]:
        """`images/**` and `labels/**`, `data.yaml`, and a list of images for each side."""
        numbers = {name: number for number, name in enumerate(export.classes)}
        sides: dict[Split, list[str]] = {side: [] for side in Split}
        stems: set[str] = set()
        for image in export.images():
            if len(image.file_name.splitlines()) > 1:
                export.warnings.add("dataset.name_unsaid", repr(image.file_name))
                continue
            lose(export, image)
            path = _place(export, image.file_name, stems)
            sides[image.split].append(path)
            yield Stored(path, image.digest)
            yield Made(f"{stem_of(path, IMAGES, LABELS)}.txt", [lines_of(image, numbers)])
        yield from _described(export, sides)


def _description(folder: Folder) -> str | None:
    """`data.yaml`, or another YAML file with `names`; the one nearest to the top."""
    files = [path for path in folder.named(".yaml", ".yml") if folder.says(path, [b"names"], 1)]
    return min(files, key=lambda path: (PurePosixPath(path).name != "data.yaml", path.count("/"), path), default=None)


def _numbers(folder: Folder) -> tuple[str, ...]:
    """Where nobody named the classes, their numbers do."""
    numbers = (index for path in label_files(folder) for index in _indices(folder.read(path, SMALL)))
    highest = max(numbers, default=-1)
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


def boxes_of(
    folder: Folder, file: str, image: str, classes: tuple[str, ...], warnings: Warnings
) -> tuple[LabelledBox, ...] | None:
    """The boxes of one label file; None when it cannot be read at all."""
    try:
        lines = text(file, folder.read(file, SMALL)).splitlines()
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
    parts = [f"{part}_" if part.casefold() == LABELS else part for part in file_name.split("/")]
    place = PurePosixPath(*([] if is_in(file_name, IMAGES) else [IMAGES]), *parts)
    stem, number = place.stem, 0
    while stem_of(str(place), IMAGES, IMAGES).casefold() in stems:
        number += 1
        place = place.with_stem(f"{stem}-{number}")
    stems.add(stem_of(str(place), IMAGES, IMAGES).casefold())
    if str(place) != file_name:
        export.warnings.add("dataset.name_changed", f"{file_name}: {place}")
    return str(place)


def lines_of(image: ImageRecord, numbers: Mapping[str, int]) -> bytes:
    """The label file of an image."""
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
