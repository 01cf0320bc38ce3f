"""Figures of a dataset version, counted image by image."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from math import sqrt

from lineside.contract.dataset import DatasetVersion, ImageRecord, Split, source_of
from lineside.contract.dataset_check import ClassFigures, DatasetStats, Histogram, SideFigures

BOX_PIXELS = (0.0, 4, 8, 16, 32, 64, 96, 128, 256, 512)
BOX_PERCENT = (0.0, 0.01, 0.1, 0.5, 1, 2, 5, 10, 25, 50)
BOXES = (0.0, 1, 2, 3, 4, 5, 10, 20, 50)
BRIGHTNESS = tuple(float(level) for level in range(0, 256, 16))
_SIZES = 8  # of pictures that are named


class _Bins:
    """Counts values by the edge they lie above."""

    def __init__(self, edges: tuple[float, ...]) -> None:
        self._edges = edges
        self._counts = [0] * len(edges)

    def add(self, value: float) -> None:
        self._counts[max(0, bisect_right(self._edges, value) - 1)] += 1

    def value(self) -> Histogram:
        return Histogram(edges=self._edges, counts=tuple(self._counts))


@dataclass
class Counting:
    """Counts; `value` says what it came to."""

    _boxes: Counter[str] = field(default_factory=Counter)
    _shown: dict[str, Counter[Split]] = field(default_factory=lambda: defaultdict(Counter))
    _images: Counter[Split] = field(default_factory=Counter)
    _side_boxes: Counter[Split] = field(default_factory=Counter)
    _empty: Counter[Split] = field(default_factory=Counter)
    _groups: Counter[tuple[Split, str]] = field(default_factory=Counter)
    _sources: Counter[str] = field(default_factory=Counter)
    _pictures: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._sizes, self._shares = _Bins(BOX_PIXELS), _Bins(BOX_PERCENT)
        self._an_image, self._brightness = _Bins(BOXES), _Bins(BRIGHTNESS)

    def add(self, image: ImageRecord, brightness: float | None) -> None:
        """Count one image."""
        side = image.split
        self._images[side] += 1
        self._side_boxes[side] += len(image.boxes)
        self._empty[side] += not image.boxes
        self._pictures[f"{image.width}x{image.height}"] += 1
        self._an_image.add(len(image.boxes))
        if image.group is not None:
            self._groups[side, image.group] += 1
        if brightness is not None:
            self._brightness.add(brightness)
        for label in {box.label for box in image.boxes}:
            self._shown[label][side] += 1
        for box in image.boxes:
            area = box.width * box.height
            self._boxes[box.label] += 1
            self._sources[source_of(box).value] += 1
            self._sizes.add(sqrt(area))
            self._shares.add(100 * area / (image.width * image.height))

    def value(self, version: DatasetVersion) -> DatasetStats:
        """The figures."""
        groups: Counter[str] = Counter()
        for (_, group), count in self._groups.items():
            groups[group] += count
        return DatasetStats(
            dataset=version.id,
            classes=tuple(self._class(label) for label in version.classes),
            sides=tuple(self._side(side) for side in Split),
            sources=dict(sorted(self._sources.items())),
            pictures=dict(self._pictures.most_common(_SIZES)),
            box_sizes=self._sizes.value(),
            box_shares=self._shares.value(),
            boxes_an_image=self._an_image.value(),
            brightness=self._brightness.value(),
            groups=len(groups),
            largest_group=max(groups.values(), default=0),
            ungrouped=self._images.total() - groups.total(),
        )

    def _class(self, label: str) -> ClassFigures:
        shown = self._shown.get(label, Counter())
        return ClassFigures(
            label=label, boxes=self._boxes[label], images={side.value: shown.get(side, 0) for side in Split}
        )

    def _side(self, side: Split) -> SideFigures:
        return SideFigures(
            side=side,
            images=self._images[side],
            boxes=self._side_boxes[side],
            empty=self._empty[side],
            groups=sum(1 for where, _ in self._groups if where is side),
        )
