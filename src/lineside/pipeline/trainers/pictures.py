"""Training pictures: decoded once, at the size the network sees them, exactly as a device resizes them.

They lie in a file that is mapped into memory: ten thousand are two gigabytes, of which only what is used is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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


def load_samples(images: Sequence[TrainImage], signature: Signature, file: Path) -> list[Sample]:
    """Every picture resized to fit the input, its boxes cut to it; the pixels lie in `file`, which is written anew.

    Error: training.image_unreadable.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    shapes, boxes = [], []
    with file.open("wb") as stream:
        for image in images:
            sample = _load(image, signature)
            stream.write(np.ascontiguousarray(sample.pixels).data)
            shapes.append(sample.pixels.shape)
            boxes.append(sample.boxes)
    if not shapes:
        return []
    pixels = np.asarray(np.memmap(file, np.uint8, "r"))
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    parts = np.split(pixels, ends[:-1])
    return [Sample(part.reshape(shape), own) for part, shape, own in zip(parts, shapes, boxes, strict=True)]


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
