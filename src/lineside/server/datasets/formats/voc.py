"""Pascal VOC: one XML file an image below `Annotations/`, corners counted from 1 (VOC 2012 development kit)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.errors import LinesideError
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats import classes
from lineside.server.datasets.formats.folder import DRIVE, SMALL, Folder, is_outside
from lineside.server.datasets.formats.reader import LabelledBox, LabelledImage, Reading, side_of
from lineside.server.datasets.formats.text import unreadable, xml_root
from lineside.server.datasets.formats.writer import Export, Made, Stored, lose

_FOLDERS = ("JPEGImages", "images", "Images")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_OURS = ("annotations", "imagesets", "imagesets/main")  # folders of labels: no image can be called so
_OBJECT = re.compile(r"\s+-?[01]$")  # lists of one class say whether it is there
_UNSAYABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # what XML 1.0 has no way to write


class Voc:
    """The format."""

    name = "voc"
    lists = True

    def recognises(self, folder: Folder) -> bool:
        return any(b"<annotation" in folder.beginning(path) for path in _files(folder))

    def read(self, folder: Folder, warnings: Warnings) -> Reading:
        sides = _sides(folder)
        images: dict[str, LabelledImage] = {}
        for file in _files(folder):
            image = _image(folder, file, sides, warnings)
            if image is None:
                continue
            if image.path in images:
                raise LinesideError("dataset.listed_twice", file=file, path=image.path)
            images[image.path] = image
        used = {box.label for image in images.values() for box in image.boxes}
        return Reading(classes=classes.ordered(folder, used), images=tuple(images.values()))

    def write(self, export: Export) -> Iterator[Stored | Made]:
        """`Annotations/*.xml` with the images' own paths, `ImageSets/Main/` for the split, and `classes.txt`."""
        names: set[str] = set()
        sides: dict[Split, list[str]] = {side: [] for side in Split}
        everything = export.images
        for image in everything():
            if not _has_name(image):
                export.warnings.add("dataset.name_unsaid", repr(image.file_name))
        export = replace(export, images=lambda: filter(_has_name, everything()))
        for image in export.images():
            lose(export, image)
            name = _name(image.file_name, names)
            sides[image.split].append(name)
            yield Stored(image.file_name, image.digest)
            yield Made(export.free(f"Annotations/{name}.xml"), [_written(export, image)])
        for side, lines in sides.items():
            text = "".join(f"{line}\n" for line in lines)
            yield Made(export.free(f"ImageSets/Main/{side.value}.txt"), [text.encode()])
        yield from classes.written(export)


def _files(folder: Folder) -> list[str]:
    """XML files below `Annotations/`, or anywhere when there is no such folder (as labelling tools write them)."""
    files = folder.named(".xml")
    inside = [path for path in files if "annotations" in map(str.casefold, PurePosixPath(path).parts[:-1])]
    return inside or files


def _image(folder: Folder, file: str, sides: dict[str, Split], warnings: Warnings) -> LabelledImage | None:
    try:
        root = xml_root(file, folder.read(file, SMALL))
        if root.tag != "annotation":
            raise unreadable(file, "its root is not <annotation>")
    except LinesideError as error:
        warnings.add("dataset.label_unreadable", error.message, file)
        return None
    path = _find(folder, file, root, warnings)
    if path is None:
        return None
    return LabelledImage(
        path=path,
        boxes=_boxes(file, path, root, warnings),
        split=sides.get(_inside(file))
        or sides.get(PurePosixPath(file).stem)
        or next(filter(None, map(side_of, PurePosixPath(file).parts[:-1])), None),
        declared=_declared(root),
    )


def _boxes(file: str, image: str, root: Element, warnings: Warnings) -> tuple[LabelledBox, ...]:
    written = enumerate(root.iter("object"), 1)
    boxes = (_box(f"{file}: object {number}", image, one, warnings) for number, one in written)
    return tuple(box for box in boxes if box is not None)


def _box(where: str, image: str, written: Element, warnings: Warnings) -> LabelledBox | None:
    label = (written.findtext("name") or "").strip()
    corners = [_number(written.findtext(f"bndbox/{key}")) for key in _CORNERS]
    if not label:
        warnings.add("dataset.class_unknown", where, image)
        return None
    if not all(math.isfinite(corner) for corner in corners):
        warnings.add("dataset.box_invalid", where, image)
        return None
    left, top, right, bottom = corners
    if right <= left or bottom <= top:
        warnings.add("dataset.box_empty", where, image)
        return None
    return LabelledBox(label, left - 1, top - 1, right - left + 1, bottom - top + 1)


def _number(written: str | None) -> float:
    try:
        value = float(written or "nan")
    except ValueError:
        return math.nan
    return value if abs(value) < 1e9 else math.nan


def _declared(root: Element) -> tuple[int, int] | None:
    width, height = _number(root.findtext("size/width")), _number(root.findtext("size/height"))
    return (int(width), int(height)) if width >= 1 and height >= 1 else None


def _find(folder: Folder, file: str, root: Element, warnings: Warnings) -> str | None:
    """The image: by `filename`, else by the annotation's own name, beside it or in the usual folders."""
    written = (root.findtext("filename") or "").replace("\\", "/")
    name = written.strip()
    if name.startswith("/") or DRIVE.match(name) or (name and is_outside(f"./{name}")):
        warnings.add("dataset.image_path_refused", name)
        return None
    home, stem = PurePosixPath(file).parent, PurePosixPath(file).stem
    places = [home.parent / part for part in _FOLDERS] + [home, home.parent, PurePosixPath()]
    if name:
        parent = root.findtext("folder") or ""
        beside = [_top(file) / one for one in dict.fromkeys((parent, parent.strip())) if one]
        found = folder.first(str(place / one) for place in beside + places for one in (written, name))
        paths = [found] if found else folder.ending(name)
    else:
        paths = [p for p in folder.files if PurePosixPath(p).stem == stem and p != file]
    if len(paths) > 1:
        raise LinesideError("dataset.name_ambiguous", file=file, name=name or stem, first=paths[0], second=paths[1])
    if not paths:
        warnings.add("dataset.image_missing", name or stem)
        return None
    return paths[0]


def _sides(folder: Folder) -> dict[str, Split]:
    """What `ImageSets/Main/train.txt`, `val.txt` and `test.txt` say about names without extension."""
    exact, loose = dict[str, Split](), dict[str, Split]()
    for path in folder.named(".txt"):
        place = PurePosixPath(path)
        side = side_of(place.stem) if "imagesets" in map(str.casefold, place.parts) else None
        if side is None or place.stem.casefold() != side.value:
            continue
        for _, line in folder.lines(path):
            exact[line.strip("\r\n")] = side
            if name := _OBJECT.sub("", line.strip()):  # some say more, or the image's whole path
                loose[name] = loose[PurePosixPath(name).stem] = side
    return loose | exact


def _top(file: str) -> PurePosixPath:
    """The folder that `Annotations/` is in; the file's own where it is in none."""
    for folder in PurePosixPath(file).parents:
        if folder.name.casefold() == "annotations":
            return folder.parent
    return PurePosixPath(file).parent


def _inside(file: str) -> str:
    """An annotation's path below `Annotations/` without `.xml`: what lists of a split may call it."""
    parts = file[: -len(".xml")].split("/")
    at = next((at for at, part in enumerate(parts[:-1]) if part.casefold() == "annotations"), -1)
    return "/".join(parts[at + 1 :])


def _name(file_name: str, names: set[str]) -> str:
    """What an image's annotation is called: as the image, with its extension where two would be called the same."""
    name, number = file_name.removesuffix(PurePosixPath(file_name).suffix), 0
    while name.casefold() in names:
        number += 1
        name = file_name if number == 1 else f"{file_name}-{number}"
    names.add(name.casefold())
    return name


def _has_name(image: ImageRecord) -> bool:
    return _sayable(image.file_name) and image.file_name.casefold() not in _OURS


def _sayable(text: str) -> bool:
    return _UNSAYABLE.search(text) is None and len(text.splitlines()) == 1


def _written(export: Export, image: ImageRecord) -> bytes:
    root, place = Element("annotation"), PurePosixPath(image.file_name)
    SubElement(root, "folder").text = str(place.parent)
    SubElement(root, "filename").text = place.name
    size = SubElement(root, "size")
    for key, value in (("width", image.width), ("height", image.height), ("depth", 3)):
        SubElement(size, key).text = str(value)
    for box in image.boxes:
        if min(box.width, box.height) <= 1 or not _sayable(box.label):
            export.warnings.add("dataset.box_unsaid", f"{image.file_name}: {box.label}")
            continue
        written = SubElement(root, "object")
        SubElement(written, "name").text = box.label
        corners = SubElement(written, "bndbox")
        edges = (box.x + 1, box.y + 1, box.x + box.width, box.y + box.height)
        for key, edge in zip(_CORNERS, edges, strict=True):
            SubElement(corners, key).text = f"{round(edge, 3):.12g}"
    indent(root)
    return bytes(tostring(root, encoding="utf-8"))
