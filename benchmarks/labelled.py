"""Labelled pictures for benchmarks: a folder with COCO's `annotations.json`, or some drawn here, and folds by group."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from lineside.contract.dataset import Box, ImageRecord, Split
from lineside.pipeline.trainers.base import TrainImage

FILE = "annotations.json"


@dataclass(frozen=True, slots=True)
class Labelled:
    """Pictures with their sides; `digest` of a record is its path below `folder`."""

    folder: Path
    classes: tuple[str, ...]
    records: tuple[ImageRecord, ...]

    def side(self, side: Split) -> list[ImageRecord]:
        """The pictures of one side."""
        return [record for record in self.records if record.split is side]

    def path(self, record: ImageRecord) -> Path:
        """The picture's file."""
        return self.folder / record.file_name

    def for_training(self, records: Sequence[ImageRecord]) -> list[TrainImage]:
        """What a trainer takes."""
        index = {label: number for number, label in enumerate(self.classes)}
        return [
            TrainImage(
                self.path(record), [(index[box.label], box.x, box.y, box.width, box.height) for box in record.boxes]
            )
            for record in records
        ]


def read(folder: Path) -> Labelled:
    """A folder of COCO's format whose images say `split`, and `group` where several show the same thing; pictures lie
    in it or in its folder `images`."""
    content = json.loads((folder / FILE).read_text())
    labels = {one["id"]: one["name"] for one in content["categories"]}
    boxes: dict[int, list[Box]] = defaultdict(list)
    for one in content["annotations"]:
        x, y, width, height = one["bbox"]
        boxes[one["image_id"]].append(Box(label=labels[one["category_id"]], x=x, y=y, width=width, height=height))
    pictures = folder / "images" if (folder / "images").is_dir() else folder
    records = [_record(one, tuple(boxes[one["id"]])) for one in content["images"]]
    return Labelled(pictures, tuple(labels.values()), tuple(records))


def _record(image: dict[str, object], boxes: tuple[Box, ...]) -> ImageRecord:
    name = str(image["file_name"])
    group = image.get("group")
    return ImageRecord(
        digest=name,
        file_name=name,
        width=int(str(image["width"])),
        height=int(str(image["height"])),
        split=Split(image["split"]),
        group=None if group is None else str(group),
        boxes=boxes,
    )


def draw(folder: Path) -> None:
    """Thirty pictures of 96 x 64 with one bright square each, three a group, as a folder that `read` takes."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for number in range(30):
        pixels = rng.integers(20, 60, (64, 96, 3), dtype=np.uint8)
        side, x, y = (int(value) for value in rng.integers((14, 2, 2), (28, 60, 30)))
        pixels[y : y + side, x : x + side] = 220
        Image.fromarray(pixels).save(folder / f"{number}.png")
        split = ("train", "train", "train", "val", "test")[number // 3 % 5]
        name = f"{number}.png"
        images.append(
            {"id": number, "file_name": name, "width": 96, "height": 64, "group": number // 3, "split": split}
        )
        annotations.append({"id": number, "image_id": number, "category_id": 1, "bbox": [x, y, side, side]})
    categories = [{"id": 1, "name": "square"}]
    (folder / FILE).write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))


def folds(records: Sequence[ImageRecord], count: int) -> list[list[ImageRecord]]:
    """The pictures in parts about as large, each group in one part; the same each time."""
    groups: dict[str, list[ImageRecord]] = defaultdict(list)
    for record in records:
        groups[record.group or record.digest].append(record)
    parts: list[list[ImageRecord]] = [[] for _ in range(count)]
    for name in sorted(groups, key=lambda name: (-len(groups[name]), name)):
        min(parts, key=len).extend(groups[name])
    return parts
