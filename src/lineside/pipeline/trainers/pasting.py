"""Objects of one picture put into another (copy-paste): the same thing in front of more backgrounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lineside.pipeline.trainers.pictures import Sample
from lineside.pipeline.trainers.placing import Placement, turned

_MARGIN = 4  # pixels around an object, over which it fades into the picture
_TRIES = 5  # to find a place where it covers nothing
_MOST_COVERED = 0.1  # share of another box


def paste(sample: Sample, donor: Sample, rng: np.random.Generator, *, turn: bool, mirror: tuple[bool, bool]) -> Sample:
    """`sample` with one object of `donor` more, where there is room for it; `mirror` says in which axes it may be."""
    if not len(donor.boxes):
        return sample
    patch = _patch(donor, int(rng.integers(len(donor.boxes))))
    flips = [may and bool(rng.random() < 0.5) for may in mirror]
    patch = turned(patch, Placement(1.0, 1.0, 0.0, 0.0, flips[0], flips[1], turn and bool(rng.random() < 0.5)))
    patch = _stretched(patch, rng.uniform(0.7, 1.3, 2))
    height, width = patch.pixels.shape[:2]
    room_y, room_x = sample.pixels.shape[0] - height, sample.pixels.shape[1] - width
    if room_x <= 0 or room_y <= 0:
        return sample
    for _ in range(_TRIES):
        x, y = int(rng.integers(room_x)), int(rng.integers(room_y))
        box = patch.boxes + np.array([0, x, y, x, y], np.float32)
        if not _covers(box[0, 1:], sample.boxes[:, 1:]):
            return Sample(_blended(sample.pixels, patch.pixels, x, y), np.concatenate([sample.boxes, box]))
    return sample


def _patch(donor: Sample, number: int) -> Sample:
    box = donor.boxes[number]
    height, width = donor.pixels.shape[:2]
    left, top = max(int(box[1]) - _MARGIN, 0), max(int(box[2]) - _MARGIN, 0)
    right, bottom = min(int(np.ceil(box[3])) + _MARGIN, width), min(int(np.ceil(box[4])) + _MARGIN, height)
    moved = box - np.array([0, left, top, left, top], np.float32)
    return Sample(donor.pixels[top:bottom, left:right], moved[None])


def _stretched(patch: Sample, factors: NDArray[np.float64]) -> Sample:
    height, width = patch.pixels.shape[:2]
    size = max(round(width * factors[0]), 1), max(round(height * factors[1]), 1)
    exact = np.array([1, *(size[0] / width, size[1] / height) * 2], np.float32)
    return Sample(
        np.asarray(Image.fromarray(patch.pixels).resize(size, Image.Resampling.BILINEAR)), patch.boxes * exact
    )


def _covers(box: NDArray[np.float32], others: NDArray[np.float32]) -> bool:
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    smaller = np.minimum(np.prod(others[:, 2:] - others[:, :2], axis=1), np.prod(box[2:] - box[:2]))
    return bool((shared > _MOST_COVERED * np.maximum(smaller, 1.0)).any())


def _blended(pixels: NDArray[np.uint8], patch: NDArray[np.uint8], x: int, y: int) -> NDArray[np.uint8]:
    """The patch as bright at its rim as what it lies on, fading out over the margin."""
    height, width = patch.shape[:2]
    result = pixels.copy()
    below = result[y : y + height, x : x + width].astype(np.float32)
    shift = _rim(below) - _rim(patch.astype(np.float32))
    rows, columns = (_ramp(length)[:, None] for length in (height, width))
    alpha = np.minimum(rows, columns.T)[..., None]
    mixed = below + alpha * (patch + shift - below)
    result[y : y + height, x : x + width] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
    return result


def _rim(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    edges = [pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]
    middle: NDArray[np.float32] = np.median(np.concatenate(edges), axis=0).astype(np.float32)
    return middle


def _ramp(length: int) -> NDArray[np.float32]:
    places = np.arange(length, dtype=np.float32)
    near: NDArray[np.float32] = np.minimum(places, places[::-1]) + 1
    return np.minimum(near / (_MARGIN + 1), 1.0).astype(np.float32)
