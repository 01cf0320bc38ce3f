from __future__ import annotations

import numpy as np
import pytest

from lineside.pipeline.trainers.augment import Augmenter, relight
from lineside.pipeline.trainers.pasting import paste
from lineside.pipeline.trainers.pictures import Sample
from lineside.pipeline.trainers.placing import Placement, Region, put
from lineside.pipeline.trainers.settings import Settings


def picture(x: int, y: int, width: int, height: int) -> Sample:
    """A black picture of 120 x 80 with one white rectangle."""
    pixels = np.zeros((80, 120, 3), np.uint8)
    pixels[y : y + height, x : x + width] = 255
    return Sample(pixels, np.array([[3, x, y, x + width, y + height]], np.float32))


def measured(canvas: np.ndarray) -> np.ndarray:
    """x1, y1, x2, y2 of what is brighter than the padding."""
    rows, columns = np.nonzero(canvas[:, :, 0] > 160)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)


@pytest.mark.parametrize("seed", range(20))
def test_a_box_lies_where_the_picture_shows_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    settings = Settings(input_width=128, input_height=96, scale=0.3, stretch=0.3, turn=True, colour=0.0)
    shown = Augmenter(settings).vary([picture(50, 30, 30, 20)], 0, rng, mosaic=False)
    assert shown.pixels.shape == (96, 128, 3)
    np.testing.assert_allclose(shown.boxes[0, 1:], measured(shown.pixels), atol=1.1)
    assert shown.boxes[0, 0] == 3


@pytest.mark.parametrize("seed", range(10))
def test_boxes_of_a_mosaic_lie_where_it_shows_them(seed: int) -> None:
    settings = Settings(input_width=256, input_height=192, mosaic=0.99, colour=0.0, scale=0.1)
    blank = Sample(np.zeros((80, 120, 3), np.uint8), np.zeros((0, 5), np.float32))
    rng = np.random.default_rng(seed)
    samples = [picture(50, 30, 30, 20), *[blank] * 200]
    shown = Augmenter(settings).vary(samples, 0, rng, mosaic=True)
    if len(shown.boxes):
        np.testing.assert_allclose(shown.boxes[0, 1:], measured(shown.pixels), atol=1.1)


def test_a_mirrored_box_is_mirrored() -> None:
    canvas = np.zeros((80, 120, 3), np.uint8)
    boxes = put(canvas, Region(0, 0, 120, 80), picture(10, 5, 20, 10), Placement(1.0, 1.0, 0.0, 0.0, True, True))
    assert boxes.tolist() == [[3, 90, 65, 110, 75]]
    assert measured(canvas).tolist() == [90, 65, 110, 75]


@pytest.mark.parametrize(("offset", "left"), [(-20.0, [[3, 0, 5, 20, 15]]), (-35.0, [])])
def test_a_box_is_cut_off_and_goes_when_little_is_left(offset: float, left: list[list[float]]) -> None:
    canvas = np.zeros((80, 120, 3), np.uint8)
    boxes = put(canvas, Region(0, 0, 120, 80), picture(10, 5, 30, 10), Placement(1.0, 1.0, offset, 0.0))
    assert boxes.tolist() == left


def test_a_plain_picture_lies_top_left_as_on_a_device() -> None:
    shown = Augmenter(Settings(input_width=128, input_height=96)).plain(picture(10, 5, 20, 10))
    assert (shown.pixels[80:] == 114).all()
    assert (shown.pixels[:, 120:] == 114).all()
    assert shown.boxes.tolist() == [[3, 10, 5, 30, 15]]


def test_relighting_by_nothing_changes_nothing() -> None:
    pixels = picture(10, 5, 20, 10).pixels
    assert (relight(pixels, 0.0, np.random.default_rng(0)) == pixels).all()
    assert (relight(pixels, 0.3, np.random.default_rng(0)) != pixels).any()


def test_a_turned_box_is_turned() -> None:
    canvas = np.zeros((120, 120, 3), np.uint8)
    place = Placement(1.0, 1.0, 0.0, 0.0, mirror_x=True, turned=True)
    boxes = put(canvas, Region(0, 0, 120, 120), picture(10, 5, 20, 10), place)
    assert boxes.tolist() == [[3, 65, 10, 75, 30]]
    canvas[canvas == 114] = 0  # the padding beside the turned picture
    assert measured(canvas).tolist() == [65, 10, 75, 30]


@pytest.mark.parametrize("seed", range(10))
def test_a_pasted_object_lies_where_its_box_says(seed: int) -> None:
    empty = Sample(np.full((80, 120, 3), 90, np.uint8), np.zeros((0, 5), np.float32))
    shown = paste(empty, picture(50, 30, 30, 20), np.random.default_rng(seed), turn=True, mirror=(True, True))
    assert len(shown.boxes) == 1
    np.testing.assert_allclose(shown.boxes[0, 1:], measured(shown.pixels), atol=1.1)
    assert (empty.pixels == 90).all()


def test_nothing_is_pasted_where_there_is_no_room() -> None:
    full = Sample(np.full((80, 120, 3), 90, np.uint8), np.array([[0, 0, 0, 120, 80]], np.float32))
    rng = np.random.default_rng(0)
    for donor in (picture(50, 30, 30, 20), picture(0, 0, 120, 80), Sample(full.pixels, np.zeros((0, 5), np.float32))):
        assert paste(full, donor, rng, turn=False, mirror=(False, False)) is full
