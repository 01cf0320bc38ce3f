"""Pictures shown differently each time: moved, stretched, mirrored, turned, relit, with objects of other pictures, or
four put together. Boxes follow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lineside.pipeline.trainers.pasting import paste
from lineside.pipeline.trainers.pictures import Sample
from lineside.pipeline.trainers.placing import PAD, Placement, Region, put
from lineside.pipeline.trainers.settings import Settings

_MOST_PASTED = 3


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
            others = [self._filled(samples, i, rng) for i in rng.integers(0, len(samples), 3)]
            boxes = self._mosaic(canvas, [self._filled(samples, index, rng), *others], rng)
        else:
            sample = self._filled(samples, index, rng)
            boxes = put(canvas, self._whole, sample, self._placement(sample, self._whole, rng, 1.0))
        return Sample(relight(canvas, self._settings.colour, rng), boxes)

    def _filled(self, samples: Sequence[Sample], index: int, rng: np.random.Generator) -> Sample:
        """A picture with up to three objects of other pictures in it, sometimes."""
        settings, sample = self._settings, samples[index]
        if settings.paste and rng.random() < settings.paste:
            for donor in rng.integers(0, len(samples), rng.integers(1, _MOST_PASTED + 1)):
                mirror = settings.flip_horizontal, settings.flip_vertical
                sample = paste(sample, samples[donor], rng, turn=settings.turn, mirror=mirror)
        return sample

    def _blank(self) -> NDArray[np.uint8]:
        return np.full((self._whole.bottom, self._whole.right, 3), PAD, np.uint8)

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
        settings = self._settings
        turned = settings.turn and bool(rng.random() < 0.5)
        height, width = sample.pixels.shape[1::-1] if turned else sample.pixels.shape[:2]
        scale = size * rng.uniform(1 - settings.scale, 1 + settings.scale)
        wider = np.exp(rng.uniform(-settings.stretch, settings.stretch) / 2)
        scale_x, scale_y = scale * wider, scale / wider
        room_x = region.right - region.left - width * scale_x  # negative: the picture is cut off
        room_y = region.bottom - region.top - height * scale_y
        return Placement(
            scale_x,
            scale_y,
            rng.uniform(min(room_x, 0.0), max(room_x, 0.0)),
            rng.uniform(min(room_y, 0.0), max(room_y, 0.0)),
            settings.flip_horizontal and bool(rng.random() < 0.5),
            settings.flip_vertical and bool(rng.random() < 0.5),
            turned,
        )


def relight(canvas: NDArray[np.uint8], amount: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Other contrast, brightness and tint, by at most `amount`."""
    contrast, brightness = 1 + rng.uniform(-amount, amount), 128 * rng.uniform(-amount, amount)
    tint = 1 + rng.uniform(-amount / 4, amount / 4, 3)
    levels = np.arange(256, dtype=np.float32)[:, None]
    table = np.clip(((levels - 128) * contrast + 128 + brightness) * tint, 0, 255).astype(np.uint8)
    return np.stack([table[:, c][canvas[:, :, c]] for c in range(3)], axis=2)
