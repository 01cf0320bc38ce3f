"""Quantities of known pictures land in the right bins; sketches merge."""

from __future__ import annotations

import numpy as np
import pytest

from lineside.runtime.decode import Picture
from lineside.runtime.model import Model
from lineside.runtime.quantities import EDGES, Quantities, baseline_of
from tests.runtime.conftest import encoded, squares


def bin_of(quantities: Quantities, name: str) -> tuple[float, float]:
    sketch = quantities.sketches()[name]
    (place,) = np.flatnonzero(sketch.counts)
    return sketch.edges[place], sketch.edges[place + 1]


@pytest.mark.parametrize("value", [0, 100, 255])
def test_a_plain_picture_has_its_brightness_and_nothing_else(value: int) -> None:
    quantities = Quantities()
    quantities.add(Picture.of(np.full((40, 60, 3), value, np.uint8)), [])
    low, high = bin_of(quantities, "brightness")
    assert low <= value < high
    assert bin_of(quantities, "contrast")[0] == 0
    assert bin_of(quantities, "sharpness")[0] == 0
    assert bin_of(quantities, "detections")[0] == 0


def test_a_sharper_picture_lands_higher() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    smooth = np.repeat(np.repeat(noise[::16, ::16], 16, axis=0), 16, axis=1)
    sharp, soft = Quantities(), Quantities()
    sharp.add(Picture.of(noise), [])
    soft.add(Picture.of(smooth), [])
    assert bin_of(sharp, "sharpness")[0] > bin_of(soft, "sharpness")[0]


def test_a_picture_of_one_pixel_is_no_trouble() -> None:
    quantities = Quantities()
    quantities.add(Picture.of(np.zeros((1, 1, 3), np.uint8)), [])
    assert quantities.images == 1


def test_a_baseline_counts_images_detections_and_classes(bright: Model) -> None:
    images = [encoded(squares((8, 8))), encoded(squares()), encoded(squares((0, 0), (40, 40)))]
    baseline = baseline_of(bright, images)
    assert baseline.images == 3
    assert baseline.classes == {"bright": 1.0}
    assert set(baseline.sketches) == set(EDGES)
    assert baseline.sketches["detections"].counts[:3] == (1, 1, 1)
    assert sum(baseline.sketches["confidence"].counts) == sum(baseline.sketches["box_area"].counts) == 3
    place = next(i for i, count in enumerate(baseline.sketches["box_area"].counts) if count)
    assert EDGES["box_area"][place] <= 64 / 4096 < EDGES["box_area"][place + 1]
    merged = baseline.sketches["brightness"].merged(baseline.sketches["brightness"])
    assert sum(merged.counts) == 6
