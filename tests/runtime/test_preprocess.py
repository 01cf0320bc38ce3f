"""Letterbox geometry and tensor values, against the signature's own formula."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.runtime.decode import Picture
from lineside.runtime.preprocess import CHANNELS, LETTERBOXES, Preprocessor, geometry_of

PLAIN = Signature(head="compact", input_width=64, input_height=32, labels=("a",))
SIZES = st.integers(1, 5000)


@settings(max_examples=300)
@given(SIZES, SIZES, st.sampled_from(LETTERBOXES), st.integers(1, 800), st.integers(1, 800))
def test_geometry_fits_and_maps_back(width: int, height: int, letterbox: str, room_x: int, room_y: int) -> None:
    signature = msgspec.structs.replace(PLAIN, letterbox=letterbox, input_width=room_x, input_height=room_y)
    geometry = geometry_of(width, height, signature)
    assert geometry.offset_x >= 0
    assert geometry.offset_x + geometry.placed_width <= room_x
    assert geometry.offset_y + geometry.placed_height <= room_y
    assert geometry.placed_width == room_x or geometry.placed_height == room_y
    placed = np.array(
        [
            [
                geometry.offset_x,
                geometry.offset_y,
                geometry.offset_x + geometry.placed_width,
                geometry.offset_y + geometry.placed_height,
            ]
        ],
        np.float32,
    )
    assert np.allclose(geometry.to_original(placed), [[0, 0, width, height]], rtol=1e-5, atol=0.01)
    beyond = geometry.to_original(np.array([[-1e6, -1e6, 1e6, 1e6]], np.float32))
    assert beyond.tolist() == [[0, 0, width, height]]


@settings(max_examples=200)
@given(SIZES, SIZES, st.data())
def test_a_box_survives_the_way_there_and_back(width: int, height: int, data: st.DataObject) -> None:
    geometry = geometry_of(width, height, PLAIN)
    share = st.floats(0, 1, width=32)
    x, y = data.draw(share) * width, data.draw(share) * height
    there = [x * geometry.scale_x + geometry.offset_x, y * geometry.scale_y + geometry.offset_y] * 2
    back = geometry.to_original(np.array([there], np.float32))[0]
    assert np.allclose(back, [x, y, x, y], atol=max(width, height) * 1e-5 + 0.01)


@pytest.mark.parametrize("letterbox", LETTERBOXES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_tensor_values_follow_the_signature(letterbox: str, channels: str) -> None:
    signature = msgspec.structs.replace(
        PLAIN,
        letterbox=letterbox,
        channels=channels,
        scale=1 / 255,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        pad=99,
    )
    colour = np.array([200, 100, 50], np.uint8)
    tensor, geometry = Preprocessor(signature)(Picture.of(np.full((20, 20, 3), colour)))
    order = {"rgb": [200, 100, 50], "bgr": [50, 100, 200], "grey": [round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)]}
    inside = np.zeros((32, 64), bool)
    inside[
        geometry.offset_y : geometry.offset_y + geometry.placed_height,
        geometry.offset_x : geometry.offset_x + geometry.placed_width,
    ] = True
    for plane, value in enumerate(order[channels]):
        expected = np.where(inside, value, 99) * signature.scale
        expected = (expected - signature.mean[plane]) / signature.std[plane]
        assert np.allclose(tensor[0, plane], expected, atol=0.02)
    assert tensor.dtype == np.float32
    assert tensor.shape == (1, len(order[channels]), 32, 64)


def test_the_buffer_is_reused_and_padding_stays_right() -> None:
    preprocess = Preprocessor(PLAIN)
    rng = np.random.default_rng(0)
    wide, tall = (rng.integers(0, 256, size, np.uint8) for size in ((10, 90, 3), (90, 10, 3)))
    fresh = [Preprocessor(PLAIN)(Picture.of(each))[0].copy() for each in (wide, tall, wide)]
    again = [preprocess(Picture.of(each))[0] for each in (wide,)]
    assert np.array_equal(again[0], fresh[0])
    assert np.array_equal(preprocess(Picture.of(tall))[0], fresh[1])
    tensor = preprocess(Picture.of(wide))[0]
    assert np.array_equal(tensor, fresh[2])
    assert tensor is again[0]


@pytest.mark.parametrize(
    "change",
    [
        {"channels": "yuv"},
        {"letterbox": "left"},
        {"input_width": 0},
        {"input_width": 10**18},
        {"mean": (0.0,)},
        {"std": (1.0, 0.0, 1.0)},
        {"labels": ()},
    ],
)
def test_a_signature_that_cannot_be_followed_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(LinesideError) as caught:
        Preprocessor(msgspec.structs.replace(PLAIN, **change))
    assert caught.value.code == "model.signature_invalid"
