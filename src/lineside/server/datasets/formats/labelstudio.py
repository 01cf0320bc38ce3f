"""Label Studio's JSON export: tasks with rectangles in percent (labelstud.io/guide/export; JSON, JSON-MIN).

Beyond the standard a task's data may carry `group`, `split` and `taken_at`, and a rectangle's `meta` a `source`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import msgspec

from lineside.contract.dataset import Box, ImageRecord, LabelKind, LabelSource
from lineside.contract.errors import LinesideError
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats import classes, given
from lineside.server.datasets.formats.finding import from_label_studio, locate
from lineside.server.datasets.formats.folder import SMALL, Folder
from lineside.server.datasets.formats.reader import LabelledBox, LabelledImage, Reading, split_of
from lineside.server.datasets.formats.text import json_value, unreadable, xml_root
from lineside.server.datasets.formats.writer import Export, Made, Stored, plain_source

_WORDS = (b'"rectanglelabels"', b'"original_width"', b'"was_cancelled"', b'"annotations"', b'"result"')
_EDGES = ("x", "y", "width", "height")


class LabelStudio:
    """The format."""

    name = "labelstudio"
    lists = True

    def recognises(self, folder: Folder) -> bool:
        return bool(_files(folder))

    def read(self, folder: Folder, warnings: Warnings) -> Reading:
        found = _Found()
        for file in _files(folder):
            tasks = json_value(file, folder.read(file))
            if not isinstance(tasks, list):
                raise unreadable(file, "it is no list of tasks")
            for number, task in enumerate(tasks):
                _add(found, folder, file, _Task(f"{file}: task {number + 1}", given.mapping(task)), warnings)
        used = {box.label for image in found.images.values() for box in image.boxes}
        configured = _configured(folder)
        names = (
            (*configured, *classes.in_order(used - set(configured))) if configured else classes.ordered(folder, used)
        )
        return Reading(names, tuple(found.images.values()), pending=frozenset(found.pending))

    def write(self, export: Export) -> Iterator[Stored | Made]:
        """`tasks.json` with addresses of local storage, and `label_config.xml`, which names the classes."""
        yield from export.pictures()
        yield Made(export.free("tasks.json"), _written(export))
        yield Made(export.free("label_config.xml"), [_configuration(export)])


@dataclass(frozen=True)
class _Task:
    """One image's entry: JSON, or JSON-MIN where all lies in one mapping."""

    where: str
    value: dict[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        return given.mapping(self.value["data"]) if "data" in self.value else self.value

    def regions(self, warnings: Warnings) -> tuple[list[Any], LabelSource | None] | None:
        """What was drawn, and by whom; None when nobody has finished the task."""
        if "data" not in self.value:
            lists = [value for value in self.value.values() if isinstance(value, list)]
            drawn = [region for value in lists if _is_regions(value) for region in value]
            nothing = bool(lists) and not any(lists)  # finished, and nothing there
            return (drawn, None) if drawn or nothing else None
        finished = [
            one
            for one in given.listing(self.value.get("annotations"))
            if isinstance(one, dict) and not one.get("was_cancelled") and isinstance(one.get("result"), list)
        ]
        if not finished:
            return None
        chosen = next((one for one in finished if one.get("ground_truth")), finished[-1])
        if len(finished) > 1:
            warnings.add("dataset.other_labels", f"{self.where}: {len(finished)} annotations")
        return chosen["result"], _labelled_by(chosen.get("completed_by"))


@dataclass
class _Found:
    images: dict[str, LabelledImage] = field(default_factory=dict)
    pending: set[str] = field(default_factory=set)


def _is_regions(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(one, dict) and "original_width" in one for one in value)


def _files(folder: Folder) -> list[str]:
    """By the words inside; COCO's files are mappings, these are lists."""
    return [
        path
        for path in folder.named(".json")
        if folder.beginning(path).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[") and folder.says(path, _WORDS, 2)
    ]


def _add(found: _Found, folder: Folder, file: str, task: _Task, warnings: Warnings) -> None:
    reference = _reference(task)
    if reference is None:
        warnings.add("dataset.label_unreadable", f"{task.where}: it names no image", task.where)
        return
    path = locate(folder, file, from_label_studio(reference), warnings)
    if path is None:
        return
    if path in found.images or path in found.pending:
        raise LinesideError("dataset.listed_twice", file=file, path=path)
    drawn = task.regions(warnings)
    if drawn is None:
        found.pending.add(path)
        warnings.add("dataset.image_pending", path)
        return
    regions, source = drawn
    rectangles = [region for region in map(given.mapping, regions) if _is_rectangle(region)]
    for _ in range(len(regions) - len(rectangles)):
        warnings.add("dataset.label_not_box", task.where)
    found.images[path] = LabelledImage(
        path=path,
        boxes=tuple(box for one in rectangles for box in _boxes(task.where, path, one, source, warnings)),
        group=given.word(task.data.get("group")),
        split=split_of(task.data.get("split"), path, warnings),
        declared=_declared(rectangles),
        taken_at=given.time(task.data.get("taken_at")),
    )


def _reference(task: _Task) -> str | None:
    """The image's address: `image`, as usual, else the first value of the data that looks like a path with a file."""
    data = task.data
    if isinstance(data.get("image"), str):
        return str(data["image"])
    usual = (value for value in data.values() if isinstance(value, str) and ("/" in value or "." in value))
    return next(usual, None)


def _is_rectangle(region: Mapping[str, Any]) -> bool:
    return _labels(region) is not None


def _labels(region: Mapping[str, Any]) -> list[Any] | None:
    value = given.mapping(region.get("value", region))
    names = value.get("rectanglelabels", value.get("labels"))
    return names if isinstance(names, list) and all(edge in value for edge in _EDGES) else None


def _boxes(
    where: str, path: str, region: Mapping[str, Any], source: LabelSource | None, warnings: Warnings
) -> Iterator[LabelledBox]:
    value = given.mapping(region.get("value", region))
    edges = [given.number(value.get(edge)) / 100 for edge in _EDGES]
    turned = [given.number(value.get("rotation") or 0), given.number(region.get("image_rotation") or 0)]
    names = [given.word(name) for name in _labels(region) or []]
    if not given.finite(*edges, *turned):
        warnings.add("dataset.box_invalid", where, path)
    elif any(turned):
        warnings.add("dataset.box_rotated", where, path)
    elif not names or None in names:
        warnings.add("dataset.class_unknown", f"{where}: a rectangle without a label", path)
    else:
        said = given.source(given.mapping(region.get("meta")).get("source")) or source
        x, y, width, height = edges
        for name in names:
            yield LabelledBox(str(name), x, y, width, height, relative=True, source=said)


def _declared(rectangles: list[dict[str, Any]]) -> tuple[int, int] | None:
    sizes = (given.size(one.get("original_width"), one.get("original_height")) for one in rectangles)
    return next((size for size in sizes if size is not None), None)


def _labelled_by(written: Any) -> LabelSource | None:
    """`completed_by`: an id, or a user."""
    if isinstance(written, dict):
        written = written.get("email") or written.get("id")
    name = given.word(written)
    return None if name is None else LabelSource(kind=LabelKind.PERSON, by=name, reviewed=True)


def _configured(folder: Folder) -> tuple[str, ...]:
    """The classes of a labelling configuration, in its order."""
    for path in folder.named(".xml"):
        if b"<RectangleLabels" in folder.beginning(path):
            labels = xml_root(path, folder.read(path, SMALL)).iterfind(".//RectangleLabels/Label")
            names = [(label.get("value") or "").strip() for label in labels]
            return classes.checked(path, names)
    return ()


def _written(export: Export) -> Iterator[bytes]:
    yield b"["
    for number, image in enumerate(export.images(), 1):
        yield (b",\n" if number > 1 else b"\n") + msgspec.json.encode(_task(number, image))
    yield b"\n]\n"


def _task(number: int, image: ImageRecord) -> dict[str, Any]:
    said = {"group": image.group, "split": image.split.value, "taken_at": image.taken_at}
    data = {"image": f"/data/local-files/?d={quote(image.file_name)}"}
    data |= {key: value for key, value in said.items() if isinstance(value, str)}
    result = [_region(f"{number}-{at}", box, image) for at, box in enumerate(image.boxes, 1)]
    return {"id": number, "data": data, "annotations": [{"result": result, "was_cancelled": False}]}


def _region(name: str, box: Box, image: ImageRecord) -> dict[str, Any]:
    shares = (box.x / image.width, box.y / image.height, box.width / image.width, box.height / image.height)
    value = {edge: 100 * share for edge, share in zip(_EDGES, shares, strict=True)}
    region = {
        "id": name,
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": image.width,
        "original_height": image.height,
        "image_rotation": 0,
        "value": value | {"rotation": 0, "rectanglelabels": [box.label]},
    }
    return region | ({"meta": {"source": plain_source(box.source)}} if box.source else {})


def _configuration(export: Export) -> bytes:
    view = Element("View")
    SubElement(view, "Image", name="image", value="$image")
    labels = SubElement(view, "RectangleLabels", name="label", toName="image")
    for name in export.classes:
        if name.isprintable():
            SubElement(labels, "Label", value=name)
        else:
            export.warnings.add("dataset.name_unsaid", repr(name))
    indent(view)
    return bytes(tostring(view, encoding="utf-8"))
