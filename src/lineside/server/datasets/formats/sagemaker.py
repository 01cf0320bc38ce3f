"""SageMaker augmented manifest: one JSON object a line with `source-ref`, boxes in pixels under an attribute of any
name, and `<attribute>-metadata` with the names of classes (docs.aws.amazon.com/sagemaker, "Bounding box job output").

Beyond the standard a line may carry `group`, `split` and `taken_at`, and each of the metadata's `objects` a `source`.
"""

from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lineside.contract.dataset import Box, ImageRecord, LabelKind, LabelSource
from lineside.contract.errors import LinesideError
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats import classes, given
from lineside.server.datasets.formats.finding import from_address, locate
from lineside.server.datasets.formats.folder import Folder
from lineside.server.datasets.formats.reader import LabelledBox, LabelledImage, Reading, split_of
from lineside.server.datasets.formats.text import json_value
from lineside.server.datasets.formats.writer import Export, Made, Stored, plain_source

_SUFFIXES = (".manifest", ".jsonl", ".ndjson", ".json")
_REFERENCE, _METADATA = "source-ref", "-metadata"
_OURS = "lineside/export"  # job-name: who labelled is said box by box, and nowhere else
_EDGES = ("left", "top", "width", "height")


class SageMaker:
    """The format."""

    name = "sagemaker"
    lists = True

    def recognises(self, folder: Folder) -> bool:
        return bool(_files(folder))

    def read(self, folder: Folder, warnings: Warnings) -> Reading:
        found = _Found()
        for file in _files(folder):
            attribute = _attribute((line for _, line in _lines(folder, file, Warnings())), warnings)
            for where, line in _lines(folder, file, warnings):
                _add(found, folder, _Line(file, where, line, attribute), warnings)
        first = classes.listed(folder)
        names = sorted(found.classes, key=lambda name: (found.classes[name], name))
        return Reading(
            classes=(*first, *(name for name in names if name not in first)),
            images=tuple(found.images.values()),
            pending=frozenset(found.pending),
        )

    def write(self, export: Export) -> Iterator[Stored | Made]:
        """`labels.manifest` beside the images, whose paths it gives in place of addresses in a bucket."""
        yield from export.pictures()
        yield Made(export.free("labels.manifest"), _written(export))


@dataclass(frozen=True)
class _Line:
    file: str
    where: str
    value: dict[str, Any]
    attribute: str | None


@dataclass
class _Found:
    """What was read so far; `classes` are names with the lowest number each has."""

    images: dict[str, LabelledImage] = field(default_factory=dict)
    pending: set[str] = field(default_factory=set)
    classes: dict[str, int] = field(default_factory=dict)


def _files(folder: Folder) -> list[str]:
    """By the first line's words, so that a broken file is named as broken and not overlooked."""
    found = []
    for path in folder.named(*_SUFFIXES):
        first = folder.beginning(path).removeprefix(codecs.BOM_UTF8).lstrip().split(b"\n", 1)[0]
        if first.startswith(b"{") and b'"source-ref"' in first:
            found.append(path)
    return found


def _lines(folder: Folder, file: str, warnings: Warnings) -> Iterator[tuple[str, dict[str, Any]]]:
    """One line after the other; a manifest may be larger than memory."""
    for number, written in folder.lines(file):
        if not written.strip():
            continue
        where = f"{file}, line {number}"
        try:
            value = json_value(where, written.encode())
        except LinesideError as error:
            warnings.add("dataset.label_unreadable", error.message, where)
            continue
        if isinstance(value, dict) and isinstance(value.get(_REFERENCE), str):
            yield where, value
        else:
            warnings.add("dataset.label_unreadable", f"{where}: no source-ref", where)


def _attribute(lines: Iterable[Mapping[str, Any]], warnings: Warnings) -> str | None:
    """The attribute that holds boxes on most lines; others, such as an earlier job's, are counted."""
    counts = Counter(key for line in lines for key in line if _is_boxes(line, key))
    if not counts:
        return None
    chosen = min(counts, key=lambda key: (-counts[key], key))
    for other in sorted(set(counts) - {chosen}):
        warnings.add("dataset.other_labels", other)
    return chosen


def _is_boxes(line: Mapping[str, Any], key: str) -> bool:
    return key + _METADATA in line and isinstance(given.mapping(line[key]).get("annotations"), list)


def _add(found: _Found, folder: Folder, line: _Line, warnings: Warnings) -> None:
    path = locate(folder, line.file, from_address(line.value[_REFERENCE]), warnings)
    if path is None:
        return
    if path in found.images or path in found.pending:
        raise LinesideError("dataset.listed_twice", file=line.file, path=path)
    if line.attribute is None or not _is_boxes(line.value, line.attribute):
        found.pending.add(path)
        warnings.add("dataset.image_pending", path)
        return
    boxes, metadata = line.value[line.attribute], given.mapping(line.value[line.attribute + _METADATA])
    names = _names(metadata)
    for number, name in names.items():
        found.classes[name] = min(number, found.classes.get(name, number))
    sizes = given.listing(boxes.get("image_size"))
    declared = given.mapping(sizes[0]) if sizes else {}
    found.images[path] = LabelledImage(
        path=path,
        boxes=tuple(_boxes(line.where, path, boxes["annotations"], names, metadata, warnings)),
        group=given.word(line.value.get("group")),
        split=split_of(line.value.get("split"), path, warnings),
        declared=given.size(declared.get("width"), declared.get("height")),
        taken_at=given.time(line.value.get("taken_at")),
    )


def _names(metadata: Mapping[str, Any]) -> dict[int, str]:
    written = given.mapping(metadata.get("class-map"))
    pairs = ((given.number(key), given.word(name)) for key, name in written.items())
    return {int(number): name for number, name in pairs if given.finite(number) and name is not None}


def _boxes(
    where: str, path: str, written: list[Any], names: Mapping[int, str], metadata: Mapping[str, Any], warnings: Warnings
) -> Iterator[LabelledBox]:
    objects = given.listing(metadata.get("objects"))
    for number, one in enumerate(written):
        entry, place = given.mapping(one), f"{where}: annotations[{number}]"
        edges, label = [given.number(entry.get(edge)) for edge in _EDGES], given.number(entry.get("class_id"))
        if not given.finite(*edges):
            warnings.add("dataset.box_invalid", place, path)
        elif not given.finite(label) or int(label) not in names:
            warnings.add("dataset.class_unknown", f"{place}: class_id {entry.get('class_id')}"[:200], path)
        else:
            said = given.mapping(objects[number]).get("source") if number < len(objects) else None
            x, y, width, height = edges
            source = given.source(said) or _labelled_by(metadata)
            yield LabelledBox(names[int(label)], x, y, width, height, source=source)


def _labelled_by(metadata: Mapping[str, Any]) -> LabelSource | None:
    """Who labelled all of a line: people or a model of the labelling job."""
    kind = {"yes": LabelKind.PERSON, "no": LabelKind.MODEL}.get(str(metadata.get("human-annotated")))
    job = given.word(metadata.get("job-name")) or ""
    if kind is None or job == _OURS:
        return None
    return LabelSource(kind=kind, by=job.removeprefix("labeling-job/"), reviewed=kind is LabelKind.PERSON)


def _written(export: Export) -> Iterator[bytes]:
    numbers = {name: number for number, name in enumerate(export.classes)}
    class_map = {str(number): name for name, number in numbers.items()}
    for image in export.images():
        metadata = {
            "class-map": class_map,
            "objects": [_object(box) for box in image.boxes],
            "type": "groundtruth/object-detection",
            "human-annotated": "yes",
            "creation-date": export.created_at.removesuffix("Z"),
            "job-name": _OURS,
        }
        size = {"width": image.width, "height": image.height, "depth": 3}
        boxes = [_edges(box) | {"class_id": numbers[box.label]} for box in image.boxes]
        line = {_REFERENCE: image.file_name, "boxes": {"annotations": boxes, "image_size": [size]}}
        yield json.dumps(line | {"boxes-metadata": metadata} | _more(image), ensure_ascii=False).encode() + b"\n"


def _object(box: Box) -> dict[str, Any]:
    return {"confidence": 1} | ({"source": plain_source(box.source)} if box.source else {})


def _edges(box: Box) -> dict[str, Any]:
    """Whole numbers where they are whole, as the labelling jobs write them."""
    values = (box.x, box.y, box.width, box.height)
    return {edge: int(value) if value == int(value) else value for edge, value in zip(_EDGES, values, strict=True)}


def _more(image: ImageRecord) -> dict[str, Any]:
    said = {"group": image.group, "split": image.split.value, "taken_at": image.taken_at}
    return {key: value for key, value in said.items() if isinstance(value, str)}
