"""Samples to tensors, in an order and variation that only the seed and the epoch decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from lineside.contract.model import Signature
from lineside.pipeline.trainers.augment import Augmenter
from lineside.pipeline.trainers.pictures import Sample
from lineside.pipeline.trainers.settings import Settings
from lineside.runtime.preprocess import CHANNELS

Batch = tuple[Tensor, list[Tensor]]
"""Pictures float32 [B, C, H, W] and for each its boxes [G, 5]: class, x1, y1, x2, y2."""


class Batches:
    """The pictures of one training as batches."""

    def __init__(self, samples: Sequence[Sample], settings: Settings, signature: Signature, seed: int) -> None:
        self._samples, self._settings, self._signature, self._seed = samples, settings, signature, seed
        self._augmenter = Augmenter(settings)

    def __len__(self) -> int:
        return -(-len(self._samples) // self._settings.batch)

    def epoch(self, number: int, *, last: bool) -> Iterator[Batch]:
        """Every picture once, varied; the same for the same seed and number."""
        rng = np.random.default_rng([self._seed, number])
        order = rng.permutation(len(self._samples))
        for start in range(0, len(order), self._settings.batch):
            indices = order[start : start + self._settings.batch]
            yield self._tensors([self._augmenter.vary(self._samples, i, rng, mosaic=not last) for i in indices])

    def plain(self, limit: int | None = None) -> Iterator[Batch]:
        """The pictures in order as a device sees them, at most `limit` batches."""
        starts = range(0, len(self._samples), self._settings.batch)
        for start in starts if limit is None else starts[:limit]:
            chosen = self._samples[start : start + self._settings.batch]
            yield self._tensors([self._augmenter.plain(sample) for sample in chosen])

    def _tensors(self, samples: Sequence[Sample]) -> Batch:
        signature = self._signature
        pixels = np.stack([_planes(sample.pixels, signature.channels) for sample in samples])
        pictures = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).float() * signature.scale
        return pictures, [torch.from_numpy(sample.boxes) for sample in samples]


def _planes(pixels: NDArray[np.uint8], channels: str) -> NDArray[np.uint8]:
    """RGB [H, W, 3] in the order, or as the grey [H, W, 1], that a device makes of it."""
    if channels == "grey":
        return np.asarray(Image.fromarray(pixels).convert("L"))[..., None]
    return pixels[..., list(CHANNELS[channels])]
