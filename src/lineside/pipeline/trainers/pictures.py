"""Training pictures in memory: decoded once, at the size the network sees them, exactly as a device resizes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.pipeline.trainers.base import TrainImage
from lineside.runtime.decode import decode
from lineside.runtime.preprocess import geometry_of, resize


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture without padding, uint8 RGB [H, W, 3], and its boxes float32 [K, 5]: class, x1, y1, x2, y2 in pixels."""

    pixels: NDArray[np.uint8]
    boxes: NDArray[np.float32]


def load_samples(images: Sequence[TrainImage], signature: Signature) -> list[Sample]:
    """Every picture resized to fit the input, its boxes cut to it; error: training.image_unreadable."""
    return [_load(image, signature) for image in images]


def _load(image: TrainImage, signature: Signature) -> Sample:
    fit = (signature.input_width, signature.input_height)
    try:
        picture = decode(image.path.read_bytes(), fit)
    except (OSError, LinesideError) as error:
        raise LinesideError("training.image_unreadable", path=image.path, why=error) from error
    place = geometry_of(picture.width, picture.height, signature)
    pixels = np.asarray(resize(picture, place.placed_width, place.placed_height))
    boxes = np.array(image.boxes, np.float32).reshape(-1, 5)
    boxes[:, 3:] += boxes[:, 1:3]
    boxes[:, 1:] *= np.array([place.scale_x, place.scale_y] * 2, np.float32)
    boxes[:, 1:] = np.clip(boxes[:, 1:], 0.0, (place.placed_width, place.placed_height) * 2)
    return Sample(pixels, boxes)
