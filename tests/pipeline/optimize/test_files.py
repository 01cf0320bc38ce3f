"""fp16 files, and files that take pixels: what they answer, beside what the file they were made of answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from lineside.contract.model import Signature
from lineside.pipeline.optimize.graphs import checked, prepared
from lineside.pipeline.optimize.half import halved
from lineside.pipeline.optimize.pairs import paired
from lineside.pipeline.optimize.pixels import folded
from lineside.pipeline.quantize import Quantizer
from lineside.runtime.engines.onnxruntime import OnnxRuntimeEngine
from tests.pipeline.optimize.nets import SIDE, chain, pictures, planes_of


def signature(channels: str = "rgb", **change: object) -> Signature:
    return Signature(head="compact", input_width=SIDE, input_height=SIDE, labels=("a",), channels=channels, **change)  # type: ignore[arg-type]


def answer(data: bytes, tensor: np.ndarray) -> np.ndarray:
    return OnnxRuntimeEngine(data, threads=1).run(tensor)[0]


@pytest.mark.parametrize(
    ("scale", "mean", "std", "operators"),
    [
        (1.0, 0.0, 1.0, ["Transpose", "Cast"]),
        (1 / 255, 0.0, 1.0, ["Transpose", "Cast"]),  # part of the first weights
        (1 / 255, 0.45, 0.22, ["Transpose", "Cast", "Mul", "Add"]),
    ],
)
def test_a_float_file_that_takes_pixels_answers_the_same(
    tmp_path: Path, scale: float, mean: float, std: float, operators: list[str]
) -> None:
    file = chain(tmp_path / "fp32.onnx")
    model, says = folded(prepared(file), signature(scale=scale, mean=(mean,) * 3, std=(std,) * 3))
    assert says.takes_pixels
    (pixels,) = pictures(1)
    expected = answer(file.read_bytes(), planes_of(pixels, scale, mean, std))
    assert np.allclose(answer(checked(model), pixels), expected, atol=1e-4 * np.abs(expected).max())
    assert [node.op_type for node in model.graph.node][: len(operators)] == operators
    assert model.graph.node[len(operators)].op_type == "Conv"


def test_a_grey_file_that_takes_pixels_answers_the_same(tmp_path: Path) -> None:
    file = chain(tmp_path / "fp32.onnx", channels=1)
    model, _ = folded(prepared(file), signature("grey"))
    (pixels,) = pictures(1, channels=1)
    assert np.allclose(answer(checked(model), pixels), answer(file.read_bytes(), planes_of(pixels)), atol=1e-5)


def test_of_an_int8_file_the_conversion_is_the_quantization(tmp_path: Path) -> None:
    quantizer = Quantizer(chain(tmp_path / "fp32.onnx"), [planes_of(one) for one in pictures(8)], tmp_path)
    plain = quantizer.quantized()
    model, _ = folded(onnx.load_from_string(plain), signature())
    before = [node.op_type for node in onnx.load_from_string(plain).graph.node]
    after = [node.op_type for node in model.graph.node]
    assert after.count("QuantizeLinear") == before.count("QuantizeLinear") - 1
    assert not {"Cast", "Mul"} & set(after)
    (pixels,) = pictures(1)
    expected = answer(plain, planes_of(pixels))
    assert np.allclose(answer(checked(model), pixels), expected, atol=0.02 * np.abs(expected).max())


def test_of_an_int8_file_with_a_mean_the_arithmetic_comes_first(tmp_path: Path) -> None:
    fed = [planes_of(one, mean=0.45, std=0.22) for one in pictures(8)]
    plain = Quantizer(chain(tmp_path / "fp32.onnx"), fed, tmp_path).quantized()
    model, _ = folded(onnx.load_from_string(plain), signature(mean=(0.45,) * 3, std=(0.22,) * 3))
    (pixels,) = pictures(1)
    expected = answer(plain, planes_of(pixels, mean=0.45, std=0.22))
    assert np.allclose(answer(checked(model), pixels), expected, atol=0.02 * np.abs(expected).max())


def test_a_half_file_is_half_as_large_and_answers_nearly_the_same(tmp_path: Path) -> None:
    file = chain(tmp_path / "fp32.onnx")
    data = checked(halved(prepared(file)))
    halves = [w for w in onnx.load_from_string(data).graph.initializer if w.data_type == onnx.TensorProto.FLOAT16]
    assert len(halves) == 4
    tensor = planes_of(pictures(1)[0])
    expected = answer(file.read_bytes(), tensor)
    got = answer(data, tensor)
    assert np.allclose(got, expected, atol=0.01 * np.abs(expected).max())
    assert (got != expected).any()


def test_weights_that_halves_cannot_hold_stay_as_they_are(tmp_path: Path) -> None:
    model = prepared(chain(tmp_path / "fp32.onnx"))
    for weight in model.graph.initializer:
        if weight.name == "w1":
            weight.CopyFrom(numpy_helper.from_array(np.full((8, 8, 3, 3), 1e5, np.float32), "w1"))
    kinds = {weight.name: weight.data_type for weight in halved(model).graph.initializer}
    assert kinds["w1"] == onnx.TensorProto.FLOAT
    assert kinds["w2_half"] == onnx.TensorProto.FLOAT16


@pytest.mark.parametrize(
    ("kernel", "pads"),
    [(3, (1, 1, 1, 1)), (3, (0, 0, 1, 1)), (5, (2, 2, 2, 2)), (6, (2, 2, 2, 2)), (2, (0, 0, 0, 0)), (4, (1, 1, 1, 1))],
)
def test_pairs_of_pixels_come_to_the_very_same_sums(tmp_path: Path, kernel: int, pads: tuple[int, ...]) -> None:
    quantizer = Quantizer(
        chain(tmp_path / "fp32.onnx", first=kernel, pads=pads), [planes_of(one) for one in pictures(8)], tmp_path
    )
    model, _ = folded(onnx.load_from_string(quantizer.quantized()), signature())
    before = checked(model)
    assert paired(model)
    (convolution,) = (node for node in model.graph.node if node.name == "c0")
    assert [list(one.ints) for one in convolution.attribute if one.name == "strides"] == [[2, 1]]
    for pixels in pictures(3):
        assert (answer(checked(model), pixels) == answer(before, pixels)).all()


def test_a_first_convolution_that_pairs_do_not_fit_stays_as_it_is(tmp_path: Path) -> None:
    file = chain(tmp_path / "fp32.onnx")
    float_model, _ = folded(prepared(file), signature())
    before = checked(float_model)
    assert not paired(float_model)
    assert checked(float_model) == before
