"""What pictures look like is measured on all sizes, by a share of the time that decisions take."""

from __future__ import annotations

import numpy as np
import pytest

from lineside.runtime.decode import Picture, decode
from lineside.runtime.drift.looking import Allowance, look
from tests.runtime.conftest import encoded


def noise(seed: int = 0, size: tuple[int, int] = (200, 300)) -> Picture:
    return Picture.of(np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8))


@pytest.mark.parametrize("value", [0, 100, 255])
def test_a_plain_picture_has_its_brightness_and_nothing_else(value: int) -> None:
    seen = look(Picture.of(np.full((40, 60, 3), value, np.uint8)))
    assert seen.brightness == pytest.approx(value, abs=0.01)
    assert (seen.contrast, seen.sharpness, seen.warmth, seen.tint) == pytest.approx((0, 0, 0, 0), abs=0.01)


def test_it_says_the_same_as_all_pixels_would() -> None:
    picture = noise()
    luma = picture.pixels @ np.array([0.299, 0.587, 0.114])
    seen = look(picture)
    assert seen.brightness == pytest.approx(luma.mean(), abs=4)
    assert seen.contrast == pytest.approx(luma.std(), abs=4)


def test_colours_are_told() -> None:
    pixels = np.full((30, 30, 3), 100, np.uint8)
    pixels[..., 0] = 140
    assert look(Picture.of(pixels)).warmth == pytest.approx(40, abs=0.01)
    pixels[..., 0], pixels[..., 1] = 100, 90
    assert look(Picture.of(pixels)).tint == pytest.approx(-10, abs=0.01)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_picture_blurred_in_one_direction_is_less_sharp(axis: int) -> None:
    sharp = noise().pixels.astype(np.float32)
    blurred = sum(np.roll(sharp, by, axis) for by in range(5)) / 5
    assert look(Picture.of(blurred.astype(np.uint8))).sharpness < 0.7 * look(noise()).sharpness


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (3, 2)])
def test_a_tiny_picture_is_no_trouble(size: tuple[int, int]) -> None:
    assert np.isfinite(look(noise(size=size))).all()


def test_only_the_part_that_shows_the_original_is_measured() -> None:
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:20] = 200
    whole = Picture.of(pixels)
    assert look(Picture(whole.image, 40, 20, (0.0, 0.0, 40.0, 20.0))).brightness == pytest.approx(200, abs=0.01)


def test_a_jpeg_decoded_small_is_as_bright_as_decoded_whole() -> None:
    data = encoded(np.repeat(np.repeat(noise(3, (50, 60)).pixels, 8, 0), 8, 1), "JPEG", quality=95)
    small, whole = decode(data, (64, 64)), decode(data)
    assert small.image.size != whole.image.size
    assert look(small).brightness == pytest.approx(look(whole).brightness, abs=6)


def test_looks_take_their_share_of_the_time_and_no_more() -> None:
    allowance, spent = Allowance(0.005), 0.0
    for _ in range(10_000):
        if allowance.earns(20.0):
            spent += 0.4
            allowance.spent(0.4)
    assert spent == pytest.approx(10_000 * 20.0 * 0.005, rel=0.05)


def test_a_look_that_took_long_once_does_not_end_looking() -> None:
    allowance = Allowance(0.005)
    assert allowance.earns(20.0)
    allowance.spent(0.2)
    assert any(allowance.earns(20.0) for _ in range(5))
    allowance.spent(500.0)
    looks = 0
    for _ in range(20_000):
        if allowance.earns(20.0):
            looks += 1
            allowance.spent(0.2)
    assert looks > 5_000
