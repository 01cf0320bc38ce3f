"""CSV of boxes: a line a box, or a line an image with its boxes as a list in one column. Columns are found by name."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lineside.contract.dataset import Box, Split
from lineside.contract.errors import LinesideError
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats import classes, given
from lineside.server.datasets.formats.columns import Columns, Edges, columns, edges_of
from lineside.server.datasets.formats.finding import from_address, locate
from lineside.server.datasets.formats.folder import LINE, Folder
from lineside.server.datasets.formats.reader import LabelledBox, LabelledImage, Reading, side_of, split_of
from lineside.server.datasets.formats.text import python_value, unreadable
from lineside.server.datasets.formats.writer import Export, Made, Stored, plain_source

_HEADINGS = ("image", "image_width", "image_height", "group", "split", "taken_at")
_BOX_HEADINGS = ("label", "left", "top", "width", "height", "source")
_NO_CLASS = "object"  # where no column names one


class Csv:
    """The format."""

    name = "csv"
    lists = True

    def recognises(self, folder: Folder) -> bool:
        return bool(_files(folder))

    def read(self, folder: Folder, warnings: Warnings) -> Reading:
        names = classes.listed(folder)
        images: dict[str, _Image] = {}
        for file in _files(folder):
            for path, image in _images(folder, file, names, warnings).items():
                if path in images:
                    raise LinesideError("dataset.listed_twice", file=file, path=path)
                images[path] = image
        used = {box.label for image in images.values() for box in image.boxes}
        found = tuple(image.labelled(path) for path, image in images.items())
        return Reading(classes=classes.ordered(folder, used), images=found)

    def write(self, export: Export) -> Iterator[Stored | Made]:
        """`labels.csv`, a line a box (one without a box for an image without), and `classes.txt`."""
        yield from export.pictures()
        yield Made(export.free("labels.csv"), _written(export))
        yield from classes.written(export)


@dataclass
class _Image:
    """What the lines about one image say; of what only one can be true, the first."""

    group: str | None
    split: Split | None
    declared: tuple[int, int] | None
    taken_at: str | None
    boxes: list[LabelledBox] = field(default_factory=list)

    def labelled(self, path: str) -> LabelledImage:
        return LabelledImage(path, tuple(self.boxes), self.group, self.split, self.declared, self.taken_at)


def _files(folder: Folder) -> list[str]:
    return [path for path in folder.named(".csv") if _heading(folder.beginning(path)) is not None]


def _heading(data: bytes) -> tuple[Columns, str] | None:
    """Which column is what, and what divides them; None when the first line is no heading of boxes."""
    lines = data.decode("utf-8-sig", "replace").splitlines()
    for delimiter in (",", ";", "\t"):
        with contextlib.suppress(csv.Error):
            found = columns(next(csv.reader(lines[:1], delimiter=delimiter), []))
            if found is not None:
                return found, delimiter
    return None


def _images(folder: Folder, file: str, names: tuple[str, ...], warnings: Warnings) -> dict[str, _Image]:
    heading = _heading(folder.beginning(file))
    assert heading is not None
    found, delimiter = heading
    relative = _relative(found, (row for _, row in _rows(folder, file, delimiter)))
    reading = _Reading(folder, file, found, names, relative, warnings)
    for number, row in _rows(folder, file, delimiter):
        reading.add(f"{file}, line {number}", row)
    return reading.images


def _rows(folder: Folder, file: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows below the heading that say something, each with the number of its last line; a table may be larger than
    memory."""
    reader = csv.reader(_rowwise(folder, file, size := [0]), delimiter=delimiter)
    try:
        for number, row in enumerate(reader):
            size[0] = 0
            if number and any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise unreadable(file, error, reader.line_num) from error


def _rowwise(folder: Folder, file: str, size: list[int]) -> Iterator[str]:
    """Lines of a table; `size` is what was read of the row they belong to, which may be of many."""
    for number, line in folder.lines(file):
        size[0] += len(line)
        if size[0] > LINE:
            raise unreadable(file, f"a row is over {LINE} bytes long", number)
        yield line


def _relative(found: Columns, rows: Iterable[list[str]]) -> bool:
    """Whether boxes are in parts of the image: no edge of any is over 1."""
    if found.edges is None:
        return False
    values = (given.number(found.cell(row, name)) for row in rows for name in found.edges.names)
    return 0 < max((value for value in values if given.finite(value)), default=0) <= 1


@dataclass
class _Reading:
    folder: Folder
    file: str
    columns: Columns
    names: tuple[str, ...]
    relative: bool
    warnings: Warnings
    images: dict[str, _Image] = field(default_factory=dict)
    _paths: dict[str, str | None] = field(default_factory=dict)

    def add(self, where: str, row: list[str]) -> None:
        """One line."""
        written = self.columns.written(row, self.columns.image)
        path = written if written in self.folder.files else self._path(where, written.strip())
        if path is None:
            return
        image = self.images.get(path) or self._image(path, row)
        self.images[path] = image
        if self.columns.listed is not None:
            self._listed(where, path, image, self.columns.cell(row, self.columns.listed))
        elif self.columns.edges is not None:
            self._one(where, path, image, row)

    def _path(self, where: str, reference: str) -> str | None:
        if not reference:
            self.warnings.add("dataset.label_unreadable", f"{where}: it names no image", where)
            return None
        if reference not in self._paths:
            self._paths[reference] = locate(self.folder, self.file, from_address(reference), self.warnings)
        return self._paths[reference]

    def _image(self, path: str, row: list[str]) -> _Image:
        cell = {name: self.columns.cell(row, name) for name in ("group", "split", "taken_at")}
        return _Image(
            group=cell["group"] or None,
            split=split_of(cell["split"], path, self.warnings) or side_of(self.file.rpartition("/")[2]),
            declared=given.size(*(self.columns.cell(row, name) or None for name in self.columns.size)),
            taken_at=given.time(cell["taken_at"]),
        )

    def _one(self, where: str, path: str, image: _Image, row: list[str]) -> None:
        edges, label = self.columns.edges, self.columns.cell(row, self.columns.label) if self.columns.label else None
        if edges is None or not any([label, *(self.columns.cell(row, name) for name in edges.names)]):
            return  # a line that says: nothing is on it
        box = {name: self.columns.cell(row, name) for name in edges.names}
        source = _parsed(self.columns.cell(row, "source"))
        self._box(where, path, image, edges, {**box, "source": source}, _NO_CLASS if label is None else label)

    def _listed(self, where: str, path: str, image: _Image, written: str) -> None:
        value = _parsed(written) if written else []
        if not isinstance(value, list):
            self.warnings.add("dataset.label_unreadable", f"{where}: its boxes are no list", path)
            del self.images[path]
            return
        for entry in map(given.mapping, value):
            edges = edges_of(entry)
            keys = [key for key in entry if key in Columns.LABELS]
            label = entry[min(keys, key=Columns.LABELS.index)] if keys else None
            if edges is None:
                self.warnings.add("dataset.box_invalid", where, path)
            else:
                self._box(where, path, image, edges, entry, label)

    def _box(self, where: str, path: str, image: _Image, edges: Edges, box: Mapping[str, Any], label: Any) -> None:
        values, name = edges.box(box), self._class(label)
        if not given.finite(*values):
            self.warnings.add("dataset.box_invalid", where, path)
        elif name is None:
            self.warnings.add("dataset.class_unknown", f"{where}: {label}"[:200], path)
        else:
            source = given.source(box.get("source"))
            image.boxes.append(LabelledBox(name, *values, relative=self.relative, source=source))

    def _class(self, label: Any) -> str | None:
        """A name; a number stands for the name at its place, where names are listed."""
        name = given.word(label)
        if name is None or name in self.names or not self.names or not (name.isascii() and name.isdigit()):
            return name
        at = given.number(name)
        return self.names[int(at)] if given.finite(at) and at < len(self.names) else None


def _parsed(written: str) -> Any:
    try:
        return python_value(written) if written else None
    except (ValueError, RecursionError):
        return None


def _written(export: Export) -> Iterator[bytes]:
    yield _line(*_HEADINGS, *_BOX_HEADINGS)
    for image in export.images():
        taken = image.taken_at if isinstance(image.taken_at, str) else ""
        head = (image.file_name, image.width, image.height, image.group or "", image.split.value, taken)
        for box in image.boxes:
            yield _line(*head, *_cells(box))
        if not image.boxes:
            yield _line(*head, *("" for _ in _BOX_HEADINGS))


def _cells(box: Box) -> tuple[object, ...]:
    source = msgspec.json.encode(plain_source(box.source)).decode() if box.source else ""
    return (box.label, box.x, box.y, box.width, box.height, source)


def _line(*cells: object) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerow(cells)
    return stream.getvalue().encode()
