"""COCO: one or several JSON files with `images`, `annotations` and `categories` (cocodataset.org/#format-data).

Beyond the standard an image may carry `group`, `split` and `taken_at`, a box `source`, and `info.origin` may say
`rendered`.
"""

from __future__ import annotations

import codecs
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import msgspec

from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats import given
from lineside.server.datasets.formats.folder import Folder, is_outside
from lineside.server.datasets.formats.reader import LabelledBox, LabelledImage, Reading, side_of
from lineside.server.datasets.formats.text import json_value, unreadable
from lineside.server.datasets.formats.writer import Export, Made, Stored, plain_source

_KEYS = (b'"images"', b'"annotations"', b'"categories"')
Id = int | str
_NULL = msgspec.Raw(b"null")
_LONGEST = 4096  # bytes of one value


class _Image(msgspec.Struct):
    id: Id
    file_name: str
    width: msgspec.Raw = _NULL
    height: msgspec.Raw = _NULL
    group: Id | None = None
    split: str | None = None
    taken_at: Any = None

    def declared(self) -> tuple[int, int] | None:
        return given.size(_value(self.width), _value(self.height))


class _Annotation(msgspec.Struct):
    image_id: Id
    category_id: Id | None = None
    bbox: msgspec.Raw = _NULL
    iscrowd: Any = 0
    source: msgspec.Raw = _NULL


class _Category(msgspec.Struct):
    id: Id
    name: str


class _File(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]
    info: Any = None


@dataclass(frozen=True)
class _Source:
    """One annotation file: where it is and which side it is about, when its name says so."""

    path: str
    content: _File
    side: Split | None


class Coco:
    """The format."""

    name = "coco"
    lists = True

    def recognises(self, folder: Folder) -> bool:
        return bool(_files(folder))

    def read(self, folder: Folder, warnings: Warnings) -> Reading:
        sources = [_source(folder, path) for path in _files(folder)]
        classes: dict[str, None] = {}
        images: dict[str, LabelledImage] = {}
        for source in sources:
            classes |= dict.fromkeys(_categories(source).values())
            for image in _images(folder, source, warnings):
                if image.path in images:
                    raise LinesideError("dataset.listed_twice", file=source.path, path=image.path)
                images[image.path] = image
        origins = {_origin(source.content.info) for source in sources}
        return Reading(
            classes=tuple(classes),
            images=tuple(images.values()),
            origin=origins.pop() if len(origins) == 1 else None,
        )

    def write(self, export: Export) -> Iterator[Stored | Made]:
        """`annotations.json` at the top, piece by piece, beside the images."""
        yield from export.pictures()
        yield Made(export.free("annotations.json"), _written(export))


def _files(folder: Folder) -> list[str]:
    """By the words inside, so that a broken file is named as broken and not overlooked."""
    return [path for path in folder.named(".json") if _is_begun(folder, path) and folder.says(path, _KEYS, 2)]


def _is_begun(folder: Folder, path: str) -> bool:
    narrow = folder.beginning(path).replace(b"\0", b"")  # UTF-16
    return any(key in narrow for key in _KEYS)


def _source(folder: Folder, path: str) -> _Source:
    place = PurePosixPath(path)
    return _Source(path, _content(path, folder.read(path)), side_of(place.stem) or side_of(place.parent.name))


def _content(path: str, data: bytes) -> _File:
    """What is not asked for, as outlines of objects, is passed over and takes no memory."""
    try:
        return msgspec.json.decode(data.removeprefix(codecs.BOM_UTF8), type=_File)
    except msgspec.ValidationError as error:
        raise unreadable(path, error) from error
    except UNREADABLE as error:
        json_value(path, data)  # which says the line
        raise unreadable(path, error) from error


def _categories(source: _Source) -> Mapping[Id, str]:
    names: dict[Id, str] = {}
    for category in sorted(source.content.categories, key=lambda one: (isinstance(one.id, str), one.id)):
        name = category.name.strip()
        if not name:
            raise unreadable(source.path, f"category {category.id} has no name")
        if category.id in names:
            raise unreadable(source.path, f"two categories have the id {category.id}")
        names[category.id] = name
    return names


def _images(folder: Folder, source: _Source, warnings: Warnings) -> list[LabelledImage]:
    paths = _paths(folder, source, warnings)
    boxes = _boxes(source, paths, warnings)
    return [
        LabelledImage(
            path=path,
            boxes=tuple(boxes.get(entry.id, ())),
            group=None if entry.group is None else str(entry.group),
            split=_split(source, entry, warnings),
            declared=entry.declared(),
            taken_at=given.time(entry.taken_at),
        )
        for entry in source.content.images
        if (path := paths[entry.id]) is not None
    ]


def _paths(folder: Folder, source: _Source, warnings: Warnings) -> Mapping[Id, str | None]:
    """Where the image of each id is; None when it is not there."""
    paths: dict[Id, str | None] = {}
    for entry in source.content.images:
        if entry.id in paths:
            raise unreadable(source.path, f"two images have the id {entry.id}")
        paths[entry.id] = _find(folder, source, entry.file_name, warnings)
    return paths


def _boxes(source: _Source, paths: Mapping[Id, str | None], warnings: Warnings) -> Mapping[Id, list[LabelledBox]]:
    names = _categories(source)
    boxes: dict[Id, list[LabelledBox]] = defaultdict(list)
    for number, annotation in enumerate(source.content.annotations):
        image, category = annotation.image_id, annotation.category_id
        where = f"{source.path}: annotations[{number}]"
        if image not in paths:
            warnings.add("dataset.annotation_orphan", where)
        elif annotation.iscrowd:
            warnings.add("dataset.box_crowd", where)
        elif category is None or category not in names:
            warnings.add("dataset.class_unknown", f"{where}: category_id {category}", paths[image])
        elif not _is_box(bbox := _value(annotation.bbox)):
            warnings.add("dataset.box_invalid", where, paths[image])
        else:
            x, y, width, height = map(float, bbox)
            said = given.source(_value(annotation.source))
            boxes[image].append(LabelledBox(names[category], x, y, width, height, source=said))
    return boxes


def _value(written: msgspec.Raw) -> Any:
    """What is written; None where it is too long to be what it should."""
    data = bytes(written)
    try:
        return msgspec.json.decode(data) if len(data) <= _LONGEST else None
    except UNREADABLE:  # half a character
        return None


def _is_box(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(isinstance(part, int | float) and not isinstance(part, bool) for part in value)
        and all(abs(part) < 1e9 and math.isfinite(part) for part in value)
    )


def _split(source: _Source, entry: _Image, warnings: Warnings) -> Split | None:
    if entry.split is None:
        return source.side
    side = side_of(entry.split)
    if side is None:
        warnings.add("dataset.split_unknown", f"{entry.file_name}: {entry.split}")
    return side


def _find(folder: Folder, source: _Source, name: str, warnings: Warnings) -> str | None:
    """The path of the image an annotation names: beside its file, in `images/`, or wherever only one is so called."""
    name = name.replace("\\", "/").removeprefix("./")
    if is_outside(name):
        warnings.add("dataset.image_path_refused", name)
        return None
    home = PurePosixPath(source.path).parent
    places = (home, home / "images", PurePosixPath(), PurePosixPath("images"), home.parent / "images")
    found = folder.first(str(place / name) for place in places)
    if found is not None:
        return found
    return _only(source, name, folder.ending(name), warnings)


def _only(source: _Source, name: str, paths: list[str], warnings: Warnings) -> str | None:
    if len(paths) > 1 and source.side is not None:
        paths = [path for path in paths if source.side in map(side_of, PurePosixPath(path).parts[:-1])] or paths
    if len(paths) > 1:
        raise LinesideError("dataset.name_ambiguous", file=source.path, name=name, first=paths[0], second=paths[1])
    if not paths:
        warnings.add("dataset.image_missing", name)
        return None
    return paths[0]


def _origin(info: Any) -> str | None:
    origin = info.get("origin") if isinstance(info, dict) else None
    return origin if isinstance(origin, str) else None


def _written(export: Export) -> Iterator[bytes]:
    categories = [{"id": number, "name": name} for number, name in enumerate(export.classes, 1)]
    numbers = {category["name"]: category["id"] for category in categories}
    info = {"description": "written by Lineside", "origin": export.origin, "date_created": export.created_at}
    yield b'{"info":' + msgspec.json.encode(info) + b',\n"categories":' + msgspec.json.encode(categories)
    yield b',\n"images":['
    yield from _listed(_entry(number, image) for number, image in enumerate(export.images(), 1))
    yield b'],\n"annotations":['
    yield from _listed(_annotations(export, numbers))
    yield b"]}\n"


def _listed(values: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    for number, value in enumerate(values):
        yield (b",\n" if number else b"\n") + msgspec.json.encode(value)


def _entry(number: int, image: ImageRecord) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": number, "file_name": image.file_name, "width": image.width, "height": image.height}
    entry["split"] = image.split.value
    if image.group is not None:
        entry["group"] = image.group
    if isinstance(image.taken_at, str):
        entry["taken_at"] = image.taken_at
    return entry


def _annotations(export: Export, numbers: Mapping[Any, Any]) -> Iterator[dict[str, Any]]:
    count = 0
    for number, image in enumerate(export.images(), 1):
        for box in image.boxes:
            count += 1
            bbox = [box.x, box.y, box.width, box.height]
            entry = {"id": count, "image_id": number, "category_id": numbers[box.label], "bbox": bbox}
            entry |= {"area": round(box.width * box.height, 3), "iscrowd": 0, "segmentation": []}
            yield entry | ({"source": plain_source(box.source)} if box.source else {})
