"""Scores: COCO average precision of detections against labelled boxes, by pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lineside.contract.dataset import ImageRecord
from lineside.contract.model import Metrics
from lineside.contract.result import Detection

_IOU_50 = 0  # place of IoU 0.5 among the thresholds 0.50, 0.55 … 0.95
_ALL_AREAS = 0
_MOST_DETECTIONS = -1  # the last of 1, 10, 100 a picture

Detections = Mapping[str, Sequence[Detection]]
"""What was found, by image digest."""


def score(images: Sequence[ImageRecord], classes: Sequence[str], found: Detections) -> Metrics:
    """mAP of what was found on these pictures. Classes without a box there don't count; no box at all scores 0.

    `found` is matched to classes by label; labels that are not among `classes` are ignored.
    """
    category = {label: number for number, label in enumerate(classes, 1)}
    precision = _precision(truth(images, category), answers(images, category, found))
    present = [label for label in classes if (precision[:, :, category[label] - 1] > -1).any()]
    return Metrics(
        map50=_mean(precision[_IOU_50]),
        map=_mean(precision),
        per_class={label: _mean(precision[:, :, category[label] - 1]) for label in present},
        images=len(images),
        boxes=sum(len(image.boxes) for image in images),
    )


def truth(images: Sequence[ImageRecord], category: Mapping[str, int]) -> dict[str, Any]:
    """The labelled boxes as a COCO dataset: images and annotations are numbered from 1, in order."""
    boxes = [(number, box) for number, image in enumerate(images, 1) for box in image.boxes]
    annotations = [
        {
            "id": mark,
            "image_id": number,
            "category_id": category[box.label],
            "bbox": [box.x, box.y, box.width, box.height],
            "area": box.width * box.height,
            "iscrowd": 0,
        }
        for mark, (number, box) in enumerate(boxes, 1)
    ]
    return {
        "info": {},
        "images": [{"id": number, "width": i.width, "height": i.height} for number, i in enumerate(images, 1)],
        "annotations": annotations,
        "categories": [{"id": number, "name": label} for label, number in category.items()],
    }


def answers(images: Sequence[ImageRecord], category: Mapping[str, int], found: Detections) -> list[dict[str, Any]]:
    """What was found as COCO results; labels that are not among the classes are left out."""
    return [
        {
            "image_id": number,
            "category_id": category[one.label],
            "bbox": [one.x, one.y, one.width, one.height],
            "score": one.confidence,
        }
        for number, image in enumerate(images, 1)
        for one in found.get(image.digest, ())
        if one.label in category
    ]


def _precision(there: dict[str, Any], given: list[dict[str, Any]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Precision by IoU threshold, recall step and class; -1 where a class has no box."""
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints, and has no switch for it
        ground = COCO()
        ground.dataset = there
        ground.createIndex()
        if not given:
            return _nothing_found(there)
        evaluation = COCOeval(ground, ground.loadRes(given), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision: np.ndarray[Any, np.dtype[np.float64]] = evaluation.eval["precision"]
    return precision[:, :, :, _ALL_AREAS, _MOST_DETECTIONS]


def _nothing_found(there: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    present = {annotation["category_id"] for annotation in there["annotations"]}
    columns = [0.0 if category["id"] in present else -1.0 for category in there["categories"]]
    return np.broadcast_to(np.array(columns), (10, 101, len(columns)))


def _mean(precision: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    counted = precision[precision > -1]
    return float(counted.mean()) if counted.size else 0.0
