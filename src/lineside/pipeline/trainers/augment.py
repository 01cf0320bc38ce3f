"""Pictures shown differently each time: moved, scaled, mirrored, relit, or four put together. Boxes follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lineside.pipeline.trainers.pictures import Sample
from lineside.pipeline.trainers.settings import Settings

_PAD = 114
_LEAST_VISIBLE = 0.3  # a box of which less is left goes
_LEAST_SIDE = 1.5  # pixels


class Region(NamedTuple):
    """A rectangle of the canvas, in pixels."""

    left: int
    top: int
    right: int
    bottom: int


class Placement(NamedTuple):
    """Where a picture lies: canvas = picture * scale + offset, after it was mirrored in itself."""

    scale: float
    x: float
    y: float
    mirror_x: bool = False
    mirror_y: bool = False


class Augmenter:
    """Makes the canvas of one training example, uint8 RGB [input_height, input_width, 3], and its boxes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._whole = Region(0, 0, settings.input_width, settings.input_height)

    def plain(self, sample: Sample) -> Sample:
        """The picture as a device places it: top left, padding right and bottom."""
        canvas = self._blank()
        height, width = sample.pixels.shape[:2]
        canvas[:height, :width] = sample.pixels
        return Sample(canvas, sample.boxes)

    def vary(self, samples: Sequence[Sample], index: int, rng: np.random.Generator, *, mosaic: bool) -> Sample:
        """The picture at `index` in another way each time; with `mosaic` sometimes together with three others."""
        canvas = self._blank()
        if mosaic and rng.random() < self._settings.mosaic:
            others = [samples[i] for i in rng.integers(0, len(samples), 3)]
            boxes = self._mosaic(canvas, [samples[index], *others], rng)
        else:
            boxes = put(canvas, self._whole, samples[index], self._placement(samples[index], self._whole, rng, 1.0))
        return Sample(relight(canvas, self._settings.colour, rng), boxes)

    def _blank(self) -> NDArray[np.uint8]:
        return np.full((self._whole.bottom, self._whole.right, 3), _PAD, np.uint8)

    def _mosaic(
        self, canvas: NDArray[np.uint8], samples: Sequence[Sample], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        right, bottom = self._whole.right, self._whole.bottom
        x, y = round(right * rng.uniform(0.3, 0.7)), round(bottom * rng.uniform(0.3, 0.7))
        regions = (Region(0, 0, x, y), Region(x, 0, right, y), Region(0, y, x, bottom), Region(x, y, right, bottom))
        parts = [
            put(canvas, region, sample, self._placement(sample, region, rng, 0.75))
            for region, sample in zip(regions, samples, strict=True)
        ]
        return np.concatenate(parts)

    def _placement(self, sample: Sample, region: Region, rng: np.random.Generator, size: float) -> Placement:
        height, width = sample.pixels.shape[:2]
        scale = size * rng.uniform(1 - self._settings.scale, 1 + self._settings.scale)
        room_x = region.right - region.left - width * scale  # negative: the picture is cut off
        room_y = region.bottom - region.top - height * scale
        return Placement(
            scale,
            rng.uniform(min(room_x, 0.0), max(room_x, 0.0)),
            rng.uniform(min(room_y, 0.0), max(room_y, 0.0)),
            self._settings.flip_horizontal and bool(rng.random() < 0.5),
            self._settings.flip_vertical and bool(rng.random() < 0.5),
        )


def put(canvas: NDArray[np.uint8], region: Region, sample: Sample, place: Placement) -> NDArray[np.float32]:
    """Draw a picture into a region of the canvas; its boxes [K, 5] in the canvas, cut off at the region's edge."""
    pixels = sample.pixels[:: -1 if place.mirror_y else 1, :: -1 if place.mirror_x else 1]
    size = (region.right - region.left, region.bottom - region.top)
    matrix = (1 / place.scale, 0.0, -place.x / place.scale, 0.0, 1 / place.scale, -place.y / place.scale)
    drawn = Image.fromarray(np.ascontiguousarray(pixels)).transform(
        size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=(_PAD, _PAD, _PAD)
    )
    canvas[region.top : region.bottom, region.left : region.right] = np.asarray(drawn)
    return _moved(sample, region, place)


def _moved(sample: Sample, region: Region, place: Placement) -> NDArray[np.float32]:
    height, width = sample.pixels.shape[:2]
    boxes = sample.boxes.copy()
    if place.mirror_x:
        boxes[:, [1, 3]] = width - boxes[:, [3, 1]]
    if place.mirror_y:
        boxes[:, [2, 4]] = height - boxes[:, [4, 2]]
    shift = np.array([place.x + region.left, place.y + region.top] * 2, np.float32)
    boxes[:, 1:] = boxes[:, 1:] * np.float32(place.scale) + shift
    before = np.prod(boxes[:, 3:] - boxes[:, 1:3], axis=1)
    boxes[:, 1:] = np.clip(boxes[:, 1:], (region.left, region.top) * 2, (region.right, region.bottom) * 2)
    sides = boxes[:, 3:] - boxes[:, 1:3]
    stays = (sides.min(axis=1, initial=np.inf) >= _LEAST_SIDE) & (np.prod(sides, axis=1) >= _LEAST_VISIBLE * before)
    left: NDArray[np.float32] = boxes[stays]
    return left


def relight(canvas: NDArray[np.uint8], amount: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Other contrast, brightness and tint, by at most `amount`."""
    contrast, brightness = 1 + rng.uniform(-amount, amount), 128 * rng.uniform(-amount, amount)
    tint = 1 + rng.uniform(-amount / 4, amount / 4, 3)
    levels = np.arange(256, dtype=np.float32)[:, None]
    table = np.clip(((levels - 128) * contrast + 128 + brightness) * tint, 0, 255).astype(np.uint8)
    return np.stack([table[:, c][canvas[:, :, c]] for c in range(3)], axis=2)
