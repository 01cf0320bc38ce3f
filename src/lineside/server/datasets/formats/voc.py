"""Pascal VOC: one XML file an image below `Annotations/`, corners counted from 1 (VOC 2012 development kit)."""

from __future__ import annotations

import math
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element

from lineside.contract.dataset import Split
from lineside.contract.errors import LinesideError
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats.reader import Folder, LabelledBox, LabelledImage, Reading, is_outside, side_of
from lineside.server.datasets.formats.text import text, unreadable, xml_root

_FOLDERS = ("JPEGImages", "images", "Images")


class Voc:
    """The format."""

    name = "voc"

    def recognises(self, folder: Folder) -> bool:
        return any(_is_voc(folder.read(path)) for path in _files(folder))

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
        classes = sorted({box.label for image in images.values() for box in image.boxes})
        return Reading(classes=tuple(classes), images=tuple(images.values()))


def _files(folder: Folder) -> list[str]:
    """XML files below `Annotations/`, or anywhere when there is no such folder (as labelling tools write them)."""
    files = folder.named(".xml")
    inside = [path for path in files if "annotations" in map(str.casefold, PurePosixPath(path).parts[:-1])]
    return inside or files


def _is_voc(data: bytes) -> bool:
    return b"<annotation" in data


def _image(folder: Folder, file: str, sides: dict[str, Split], warnings: Warnings) -> LabelledImage | None:
    try:
        root = xml_root(file, folder.read(file))
        if root.tag != "annotation":
            raise unreadable(file, "its root is not <annotation>")
    except LinesideError as error:
        warnings.add("dataset.label_unreadable", error.message, file)
        return None
    path = _find(folder, file, root, warnings)
    if path is None:
        return None
    stem = PurePosixPath(file).stem
    return LabelledImage(
        path=path,
        boxes=_boxes(file, path, root, warnings),
        split=sides.get(stem) or next(filter(None, map(side_of, PurePosixPath(file).parts[:-1])), None),
        declared=_declared(root),
    )


def _boxes(file: str, image: str, root: Element, warnings: Warnings) -> tuple[LabelledBox, ...]:
    written = enumerate(root.iter("object"), 1)
    boxes = (_box(f"{file}: object {number}", image, one, warnings) for number, one in written)
    return tuple(box for box in boxes if box is not None)


def _box(where: str, image: str, written: Element, warnings: Warnings) -> LabelledBox | None:
    label = (written.findtext("name") or "").strip()
    corners = [_number(written.findtext(f"bndbox/{key}")) for key in ("xmin", "ymin", "xmax", "ymax")]
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
    name = (root.findtext("filename") or "").strip().replace("\\", "/")
    if name and is_outside(name):
        warnings.add("dataset.image_path_refused", name)
        return None
    home, stem = PurePosixPath(file).parent, PurePosixPath(file).stem
    places = [home.parent / part for part in _FOLDERS] + [home, home.parent, PurePosixPath()]
    if name:
        found = folder.first(str(place / name) for place in places)
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
    sides: dict[str, Split] = {}
    for path in folder.named(".txt"):
        place = PurePosixPath(path)
        side = side_of(place.stem) if "imagesets" in map(str.casefold, place.parts) else None
        if side is None or place.stem.casefold() != side.value:
            continue
        for line in text(path, folder.read(path)).splitlines():
            if line.strip():
                sides[PurePosixPath(line.split()[0]).stem] = side
    return sides
