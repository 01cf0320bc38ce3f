"""What a device sees, in numbers: per image brightness, contrast, sharpness, detections, confidence and box area, as
sketches that can be merged and compared with the baseline a model brings."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lineside.contract.drift import Baseline, Sketch
from lineside.contract.result import Detection
from lineside.runtime.decode import Picture
from lineside.runtime.model import Model
from lineside.runtime.preprocess import resize

_SIDE = 256  # pixels of the longer side on which the picture is measured, so that sharpness does not depend on size


def _linear(start: float, stop: float, bins: int) -> tuple[float, ...]:
    return tuple(start + (stop - start) * i / bins for i in range(bins + 1))


EDGES: dict[str, tuple[float, ...]] = {
    "brightness": _linear(0.0, 256.0, 32),  # mean of luma 0..255
    "contrast": _linear(0.0, 128.0, 32),  # standard deviation of luma
    "sharpness": (0.0, *(float(2**power) for power in range(18))),  # variance of the Laplacian of luma
    "detections": _linear(0.0, 32.0, 32),  # found in an image
    "confidence": _linear(0.0, 1.0, 20),  # of each detection
    "box_area": (0.0, *(2.0**power for power in range(-16, 1))),  # of each detection, as a share of the image
}


class Quantities:
    """Adds images up. Not for two threads."""

    def __init__(self) -> None:
        self.images = 0
        self._counts = {name: np.zeros(len(edges) - 1, np.int64) for name, edges in EDGES.items()}
        self._classes: dict[str, int] = {}

    def add(self, picture: Picture, detections: list[Detection]) -> None:
        """Counts one image and what was found on it."""
        self.images += 1
        luma = _luma(picture)
        area = float(picture.width * picture.height)
        self._count("brightness", [float(luma.mean())])
        self._count("contrast", [float(luma.std())])
        self._count("sharpness", [_sharpness(luma)])
        self._count("detections", [float(len(detections))])
        self._count("confidence", [found.confidence for found in detections])
        self._count("box_area", [found.width * found.height / area for found in detections])
        for found in detections:
            self._classes[found.label] = self._classes.get(found.label, 0) + 1

    def sketches(self) -> dict[str, Sketch]:
        """One sketch a quantity."""
        return {name: Sketch(edges=EDGES[name], counts=tuple(each.tolist())) for name, each in self._counts.items()}

    def classes(self) -> dict[str, float]:
        """The share of each class among all detections."""
        total = sum(self._classes.values())
        return {label: count / total for label, count in sorted(self._classes.items())}

    def _count(self, name: str, values: list[float]) -> None:
        edges = EDGES[name]
        places = np.searchsorted(edges, values, side="right") - 1
        np.add.at(self._counts[name], np.clip(places, 0, len(edges) - 2), 1)


def baseline_of(model: Model, images: Iterable[bytes]) -> Baseline:
    """What a model sees on images that stand for what it will meet: usually its own test images."""
    quantities = Quantities()
    for data in images:
        inference = model.detect_timed(data)
        quantities.add(inference.picture, inference.detections)
    return Baseline(images=quantities.images, sketches=quantities.sketches(), classes=quantities.classes())


def _luma(picture: Picture) -> NDArray[np.float32]:
    """Luma float32 [h, w] of the picture with its longer side at most 256 pixels."""
    ratio = min(1.0, _SIDE / max(picture.width, picture.height))
    small = resize(picture, max(1, round(picture.width * ratio)), max(1, round(picture.height * ratio)))
    return np.asarray(_grey(small), np.float32)


def _grey(image: Image.Image) -> Image.Image:
    return image.convert("L")


def _sharpness(luma: NDArray[np.float32]) -> float:
    """Variance of the 4-neighbour Laplacian; 0 for a picture too small to have one."""
    if min(luma.shape) < 3:
        return 0.0
    centre = luma[1:-1, 1:-1]
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4.0 * centre
    return float(laplacian.var())
