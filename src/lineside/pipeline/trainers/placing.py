"""Drawing a picture into a part of another, moved, stretched, mirrored or turned; boxes follow exactly.

There is no rotation by small angles: the box around a turned picture's box is larger than what it encloses.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lineside.pipeline.trainers.pictures import Sample

PAD = 114
_LEAST_VISIBLE = 0.3  # a box of which less is left goes
_LEAST_SIDE = 1.5  # pixels


class Region(NamedTuple):
    """A rectangle of the canvas, in pixels."""

    left: int
    top: int
    right: int
    bottom: int


class Placement(NamedTuple):
    """Where a picture lies: canvas = picture * scale + offset, after it was turned and mirrored in itself."""

    scale_x: float
    scale_y: float
    x: float
    y: float
    mirror_x: bool = False
    mirror_y: bool = False
    turned: bool = False  # rows become columns, before anything else


def put(canvas: NDArray[np.uint8], region: Region, sample: Sample, place: Placement) -> NDArray[np.float32]:
    """Draw a picture into a region of the canvas; its boxes [K, 5] in the canvas, cut off at the region's edge."""
    sample = turned(sample, place)
    size = (region.right - region.left, region.bottom - region.top)
    matrix = (1 / place.scale_x, 0.0, -place.x / place.scale_x, 0.0, 1 / place.scale_y, -place.y / place.scale_y)
    drawn = Image.fromarray(sample.pixels).transform(
        size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=(PAD, PAD, PAD)
    )
    canvas[region.top : region.bottom, region.left : region.right] = np.asarray(drawn)
    return _moved(sample.boxes, region, place)


def turned(sample: Sample, place: Placement) -> Sample:
    """The picture turned and mirrored in itself, its boxes too."""
    pixels, boxes = sample.pixels, sample.boxes.copy()
    if place.turned:
        pixels, boxes = pixels.transpose(1, 0, 2), boxes[:, [0, 2, 1, 4, 3]]
    height, width = pixels.shape[:2]
    if place.mirror_x:
        boxes[:, [1, 3]] = width - boxes[:, [3, 1]]
    if place.mirror_y:
        boxes[:, [2, 4]] = height - boxes[:, [4, 2]]
    pixels = pixels[:: -1 if place.mirror_y else 1, :: -1 if place.mirror_x else 1]
    return Sample(np.ascontiguousarray(pixels), boxes)


def _moved(boxes: NDArray[np.float32], region: Region, place: Placement) -> NDArray[np.float32]:
    boxes = boxes.copy()
    shift = np.array([place.x + region.left, place.y + region.top] * 2, np.float32)
    boxes[:, 1:] = boxes[:, 1:] * np.array([place.scale_x, place.scale_y] * 2, np.float32) + shift
    before = np.prod(boxes[:, 3:] - boxes[:, 1:3], axis=1)
    boxes[:, 1:] = np.clip(boxes[:, 1:], (region.left, region.top) * 2, (region.right, region.bottom) * 2)
    sides = boxes[:, 3:] - boxes[:, 1:3]
    stays = (sides.min(axis=1, initial=np.inf) >= _LEAST_SIDE) & (np.prod(sides, axis=1) >= _LEAST_VISIBLE * before)
    left: NDArray[np.float32] = boxes[stays]
    return left
