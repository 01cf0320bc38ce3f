"""Which detections hit which boxes, picture by picture: what pycocotools finds out once, kept for every later sum."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lineside.contract.dataset import ImageRecord
from lineside.pipeline.metrics import Detections, answers, truth

LONG_SIDE = 640.0  # pixels of a picture's longer side when the sizes of boxes are told apart, as COCO's pictures have
ALL = "all"
AREAS: dict[str, tuple[float, float]] = {
    ALL: (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
"""COCO's ranges of a box's area in square pixels."""

_IOUS = 10  # IoU thresholds 0.50, 0.55 … 0.95

Flags = NDArray[np.bool_]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class ClassMatches:
    """One class within one range of areas, over T = 10 IoU thresholds (0.50 first), D detections and I pictures.

    Detections are in falling order of score, equal ones in the order of their pictures, as pycocotools sorts them.
    """

    label: str
    image: Whole  # [D] place of each detection's picture
    scores: NDArray[np.float64]  # [D]
    hit: Flags  # [T, D] it found a box
    counted: Flags  # [T, D] it is not to be ignored, as one is that found a box of another size
    boxes: Whole  # [I] how many boxes there are

    def only(self, members: Whole) -> ClassMatches:
        """The same on some of the pictures, which get the places 0, 1 … in the order given."""
        place = np.full(len(self.boxes), -1, np.int64)
        place[members] = np.arange(len(members))
        kept = place[self.image] >= 0
        return ClassMatches(
            label=self.label,
            image=place[self.image[kept]],
            scores=self.scores[kept],
            hit=self.hit[:, kept],
            counted=self.counted[:, kept],
            boxes=self.boxes[members],
        )


Matches = dict[str, tuple[ClassMatches, ...]]
"""By range of areas (`AREAS`): every class, in the dataset's order."""


def match(images: Sequence[ImageRecord], classes: Sequence[str], found: Detections) -> Matches:
    """Match what was found with the boxes by COCO's rules, at most 100 detections a picture and class."""
    category = {label: number for number, label in enumerate(classes, 1)}
    per_image = _per_image(images, category, found)
    count = len(images)
    return {
        area: tuple(
            _joined(label, per_image[(k * len(AREAS) + a) * count :][:count], count) for k, label in enumerate(classes)
        )
        for a, area in enumerate(AREAS)
    }


def _per_image(images: Sequence[ImageRecord], category: dict[str, int], found: Detections) -> list[Any]:
    """pycocotools' `evalImgs`: class by class, in it area by area, in it picture by picture; None: nothing there."""
    shrink = [(LONG_SIDE / max(image.width, image.height, 1)) ** 2 for image in images]
    there = truth(images, category)
    for annotation in there["annotations"]:
        annotation["area"] *= shrink[annotation["image_id"] - 1]
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints, and has no switch for it
        ground, given = COCO(), COCO()
        ground.dataset = there
        ground.createIndex()
        given.dataset = there | {"annotations": _marked(answers(images, category, found), shrink)}
        given.createIndex()
        evaluation = COCOeval(ground, given, "bbox")
        evaluation.params.areaRng = [list(bounds) for bounds in AREAS.values()]
        evaluation.params.areaRngLbl = list(AREAS)
        evaluation.evaluate()
    per_image: list[Any] = evaluation.evalImgs
    return per_image


def _marked(given: list[dict[str, Any]], shrink: list[float]) -> list[dict[str, Any]]:
    return [
        one | {"id": mark, "iscrowd": 0, "area": one["bbox"][2] * one["bbox"][3] * shrink[one["image_id"] - 1]}
        for mark, one in enumerate(given, 1)
    ]


def _joined(label: str, per_image: list[Any], count: int) -> ClassMatches:
    boxes = np.zeros(count, np.int64)
    present = [(place, one) for place, one in enumerate(per_image) if one is not None]
    for place, one in present:
        boxes[place] = int(np.count_nonzero(np.asarray(one["gtIgnore"]) == 0))
    image = np.array([place for place, one in present for _ in one["dtScores"]], np.int64)
    scores = np.array([score for _, one in present for score in one["dtScores"]], np.float64)
    order = np.argsort(-scores, kind="stable")
    empty = np.zeros((_IOUS, 0))
    hit = np.concatenate([empty, *(one["dtMatches"] for _, one in present)], axis=1) > 0
    ignored = np.concatenate([empty, *(one["dtIgnore"] for _, one in present)], axis=1) > 0
    return ClassMatches(label, image[order], scores[order], (hit & ~ignored)[:, order], ~ignored[:, order], boxes)
