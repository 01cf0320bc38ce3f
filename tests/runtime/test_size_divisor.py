"""A network's input that leaves out what would be nothing but padding: the same boxes, from fewer pixels."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.runtime.decode import Picture
from lineside.runtime.engines.onnxruntime import OnnxRuntimeEngine
from lineside.runtime.engines.options import EngineOptions
from lineside.runtime.model import Model, load_folder
from lineside.runtime.preprocess import Preprocessor, geometry_of, sizes_of
from tests.runtime.any_size import CUT, WHOLE, bright_at_any_size
from tests.runtime.conftest import bright_model, encoded, squares, write_model

SIZES = st.integers(1, 3000)
LETTERBOXES = st.sampled_from(("corner", "centre"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_folder(write_model(tmp_path_factory.mktemp("whole"), WHOLE, bright_at_any_size()), threads=2)


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_folder(write_model(tmp_path_factory.mktemp("cut"), CUT, bright_at_any_size()), threads=2)


@given(SIZES, SIZES, LETTERBOXES, st.sampled_from((1, 8, 16, 32)))
def test_the_input_is_the_smallest_that_the_picture_fits_into(
    width: int, height: int, letterbox: str, divisor: int
) -> None:
    signature = msgspec.structs.replace(CUT, letterbox=letterbox, size_divisor=divisor)
    geometry = geometry_of(width, height, signature)
    largest = geometry_of(width, height, msgspec.structs.replace(signature, size_divisor=msgspec.UNSET))
    assert (geometry.scale_x, geometry.scale_y) == (largest.scale_x, largest.scale_y)
    assert (largest.input_width, largest.input_height) == (128, 96)
    sides = (
        (geometry.input_width, geometry.placed_width, geometry.offset_x, 128),
        (geometry.input_height, geometry.placed_height, geometry.offset_y, 96),
    )
    for side, placed, offset, most in sides:
        assert side % divisor == 0
        assert side <= most
        assert placed <= side < placed + divisor
        assert 0 <= offset <= side - placed


@given(SIZES, SIZES, st.integers(0, 2**32 - 1))
def test_what_is_left_is_the_corner_of_the_whole_input(width: int, height: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height % 97 + 1, width % 97 + 1, 3), np.uint8)
    tensor, geometry = Preprocessor(CUT)(Picture.of(pixels))
    expected, _ = Preprocessor(WHOLE)(Picture.of(pixels))
    np.testing.assert_array_equal(tensor, expected[:, :, : geometry.input_height, : geometry.input_width])
    assert tensor.flags.c_contiguous


@pytest.mark.parametrize("element", ["float32", "uint8"])
def test_pictures_of_other_shapes_use_the_same_memory_and_padding_stays_right(element: str) -> None:
    signature = CUT if element == "float32" else msgspec.structs.replace(CUT, input="uint8")
    preprocess, rng = Preprocessor(signature), np.random.default_rng(0)
    shapes = [(60, 100), (20, 100), (100, 20), (61, 100), (20, 100), (96, 128), (20, 100)]
    for height, width in shapes:
        picture = Picture.of(rng.integers(0, 256, (height, width, 3), np.uint8))
        tensor, _ = preprocess(picture)
        assert tensor.dtype.name == preprocess.element == element
        np.testing.assert_array_equal(tensor, Preprocessor(signature)(picture)[0])


def test_the_sizes_that_are_tried_are_the_largest_the_flattest_and_the_narrowest() -> None:
    assert sizes_of(CUT) == [(128, 96), (128, 32), (32, 96)]
    assert sizes_of(WHOLE) == [(128, 96)]


@pytest.mark.parametrize("size", [(128, 96), (1280, 400), (300, 1200), (128, 20), (20, 128), (640, 480)])
def test_boxes_are_the_same(whole: Model, cut: Model, size: tuple[int, int]) -> None:
    width, height = size
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 3] = 255
    found = cut.detect(Picture.of(pixels))
    assert found
    assert found == whole.detect(Picture.of(pixels))


def test_threads_may_decide_pictures_of_all_shapes_at_once(cut: Model) -> None:
    shapes = [(400, 1280), (1200, 300), (96, 128), (20, 128), (700, 900)]
    images = [encoded(np.full((*shape, 3), 40 * (n + 2), np.uint8)) for n, shape in enumerate(shapes)]
    expected = [cut.detect(data) for data in images]
    wrong: list[int] = []

    def check(first: int) -> None:
        for turn in range(40):
            number = (first + turn) % len(images)
            wrong.extend([number] if cut.detect(images[number]) != expected[number] else [])

    threads = [threading.Thread(target=check, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    ("change", "data", "why"),
    [
        ({"size_divisor": 0}, None, "size_divisor is 0"),
        ({"size_divisor": 36}, None, "multiples"),
        ({"size_divisor": 32, "letterbox": "stretch"}, None, "no padding"),
        ({"size_divisor": 32}, bright_at_any_size(128, 96), "the file takes no input of 128 x 32"),
    ],
)
def test_a_file_that_takes_one_size_alone_is_refused(
    change: dict[str, object], data: bytes | None, why: str, tmp_path: Path
) -> None:
    folder = write_model(tmp_path, msgspec.structs.replace(WHOLE, **change), data or bright_at_any_size())
    with pytest.raises(LinesideError) as caught:
        load_folder(folder, threads=1)
    assert caught.value.code == "model.signature_invalid"
    assert why in caught.value.message


def test_a_file_whose_cells_are_of_one_size_is_refused(tmp_path: Path) -> None:
    signature = Signature(head="compact", input_width=64, input_height=64, labels=("bright",), size_divisor=32)
    model = onnx.load_from_string(bright_model())
    for dimension, name in zip(model.graph.input[0].type.tensor_type.shape.dim[2:], ("height", "width"), strict=True):
        dimension.dim_param = name
    with pytest.raises(LinesideError) as caught:
        load_folder(write_model(tmp_path, signature, model.SerializeToString()), threads=1)
    assert caught.value.code == "model.signature_invalid"


def test_a_provider_that_compiles_for_one_size_gets_the_largest_alone(tmp_path: Path, whole: Model) -> None:
    """No accelerator is here: one that takes nothing of the model stands in, the CPU behind it."""
    (other,) = (name for name in onnxruntime.get_available_providers() if name != "CPUExecutionProvider")
    options = EngineOptions(providers=(other,))
    engine = OnnxRuntimeEngine(bright_at_any_size(), threads=1, options=options, largest=(128, 96))
    assert engine.provider == other
    assert not engine.any_size
    assert engine.inputs[0].shape == (1, 3, 96, 128)
    model = load_folder(write_model(tmp_path, CUT, bright_at_any_size()), threads=1, options=options)
    wide = encoded(squares((0, 0), side=128, edge=24)[:40])
    assert model.detect(wide) == whole.detect(wide) != []
