"""Columns of tables of boxes, found by the names people give them. Add a name to its row to understand one more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from lineside.server.datasets.formats import given

_IMAGES = (
    *(
        "source_ref",
        "image",
        "image_path",
        "img_path",
        "path",
        "file_path",
        "filepath",
        "file_name",
        "filename",
        "file",
    ),
    *("image_name", "image_file", "image_id", "imageid", "img"),
)
_LISTS = ("annotations", "boxes", "bboxes")
_CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("x1", "y1", "x2", "y2"),
    ("left", "top", "right", "bottom"),
)
_SIZES = (
    ("left", "top", "width", "height"),
    ("x", "y", "width", "height"),
    ("x", "y", "w", "h"),
    ("bbox_x", "bbox_y", "bbox_width", "bbox_height"),
    ("xmin", "ymin", "width", "height"),
)
_IMAGE_SIZES = (("image_width", "image_height"), ("img_width", "img_height"), ("width", "height"))


@dataclass(frozen=True)
class Edges:
    """Four columns, or keys, that say where a box is: its corners, or its first corner and its size."""

    names: tuple[str, ...]
    corners: bool

    def box(self, values: Mapping[str, Any]) -> tuple[float, float, float, float]:
        """Left, top, width and height; NaN where something is no number."""
        left, top, third, fourth = (given.number(values.get(name)) for name in self.names)
        return (left, top, third - left, fourth - top) if self.corners else (left, top, third, fourth)


@dataclass(frozen=True)
class Columns:
    """What the columns of one table are; `listed` is the one that holds lists of boxes, else `edges` are given."""

    LABELS: ClassVar[tuple[str, ...]] = (
        *("label", "class", "class_name", "classname", "category", "category_name", "label_name", "labelname", "name"),
        *("object", "class_id", "category_id", "label_id"),
    )

    places: Mapping[str, int]
    image: str
    label: str | None
    edges: Edges | None
    listed: str | None
    size: tuple[str, str]

    def cell(self, row: Sequence[str], name: str) -> str:
        """What stands in a column; nothing where the row is too short or there is no such column."""
        return self.written(row, name).strip()

    def written(self, row: Sequence[str], name: str) -> str:
        """What stands in a column, with the spaces around it."""
        at = self.places.get(name, len(row))
        return row[at] if at < len(row) else ""


def columns(headings: Iterable[str]) -> Columns | None:
    """What the columns are; None when it is no table of boxes."""
    places: dict[str, int] = {}
    for at, heading in enumerate(headings):
        places.setdefault(heading.strip().casefold().replace("-", "_").replace(" ", "_"), at)
    image, label = _first(_IMAGES, places), _first(Columns.LABELS, places)
    edges, listed = edges_of(places), _first(_LISTS, places)
    if image is None or (edges is None and listed is None):
        return None
    used = edges.names if edges is not None else ()
    sizes = (pair for pair in _IMAGE_SIZES if set(pair) <= places.keys() and not set(pair) & set(used))
    size = next(sizes, _IMAGE_SIZES[0])
    return Columns(places, image, label, None if listed else edges, listed, size)


def edges_of(names: Iterable[str]) -> Edges | None:
    """The four names among these that say where a box is."""
    there = set(names)
    for table, corners in ((_CORNERS, True), (_SIZES, False)):
        for four in table:
            if there.issuperset(four):
                return Edges(four, corners)
    return None


def _first(wanted: Iterable[str], there: Mapping[str, int]) -> str | None:
    return next((name for name in wanted if name in there), None)
