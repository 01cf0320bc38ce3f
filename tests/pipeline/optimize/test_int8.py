"""INT8: of older files too, layer by layer, and which layers it hurts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from lineside.pipeline.optimize.sensitivity import by_sensitivity, error, rungs
from lineside.pipeline.quantize import Quantizer
from tests.pipeline.optimize.nets import chain, pictures, planes_of


def quantizer_of(folder: Path, **net: object) -> Quantizer:
    return Quantizer(chain(folder / "fp32.onnx", **net), [planes_of(one) for one in pictures(8)], folder)  # type: ignore[arg-type]


def quantized_layers(data: bytes) -> set[str]:
    nodes = onnx.load_from_string(data).graph.node
    return {node.name for node in nodes if node.op_type == "Conv" and node.input[1].endswith("DequantizeLinear_Output")}


def test_layers_are_what_lies_between_convolutions(tmp_path: Path) -> None:
    assert quantizer_of(tmp_path).layers == {"c0": ["c0", "relu0"], "c1": ["c1", "relu1"], "c2": ["c2", "relu2"]}


@pytest.mark.parametrize(
    ("but", "only", "expected"),
    [((), (), {"c0", "c1", "c2"}), (("c1",), (), {"c0", "c2"}), ((), ("c1",), {"c1"})],
)
def test_layers_may_be_left_out_or_taken_alone(
    tmp_path: Path, but: tuple[str, ...], only: tuple[str, ...], expected: set[str]
) -> None:
    assert quantized_layers(quantizer_of(tmp_path).quantized(but=but, only=only)) == expected


def test_a_file_of_an_older_operator_set_is_converted_first(tmp_path: Path) -> None:
    """Scales of single channels exist since 13; the published YOLOX files are of 11."""
    data = quantizer_of(tmp_path, opset=11).quantized()
    assert quantized_layers(data) == {"c0", "c1", "c2"}
    assert onnx.load_from_string(data).opset_import[0].version >= 13


def test_a_file_whose_nodes_have_no_names_is_quantized_like_any_other(tmp_path: Path) -> None:
    """Layers go by the names of nodes, which files of others need not have."""
    file = chain(tmp_path / "fp32.onnx")
    model = onnx.load(file)
    for node in model.graph.node:
        node.name = ""
    onnx.save(model, file)
    quantizer = Quantizer(file, [planes_of(one) for one in pictures(8)], tmp_path)
    assert len(quantizer.layers) == 3
    assert len(quantized_layers(quantizer.quantized())) == 3
    assert len(quantized_layers(quantizer.quantized(but=[next(iter(quantizer.layers))]))) == 2


def test_weights_leave_a_bit_for_processors_that_would_overflow(tmp_path: Path) -> None:
    model = onnx.load_from_string(quantizer_of(tmp_path).quantized())
    weights = [w for w in model.graph.initializer if w.data_type == onnx.TensorProto.INT8 and len(w.dims) == 4]
    assert len(weights) == 3
    assert max(int(np.abs(onnx.numpy_helper.to_array(w).astype(int)).max()) for w in weights) == 64


def test_the_most_sensitive_layer_comes_first(tmp_path: Path) -> None:
    """A layer whose input spans far more than what matters of it loses most: here c1 hears one loud channel."""
    file = chain(tmp_path / "fp32.onnx")
    model = onnx.load(file)
    weights = {weight.name: weight for weight in model.graph.initializer}
    loud, deaf = (onnx.numpy_helper.to_array(weights[name]).copy() for name in ("w0", "w1"))
    loud[0] *= 1e4
    deaf[:, 0] *= 1e-6
    weights["w0"].CopyFrom(onnx.numpy_helper.from_array(loud, "w0"))
    weights["w1"].CopyFrom(onnx.numpy_helper.from_array(deaf, "w1"))
    onnx.save(model, file)
    quantizer = Quantizer(file, [planes_of(one) for one in pictures(8)], tmp_path)
    ordered = by_sensitivity(quantizer)
    assert {ordered[0][0], ordered[1][0]} == {"c0", "c1"}  # what the loud channel goes through
    assert ordered[1][1] > 5 * ordered[2][1]
    assert next(rungs(quantizer)) == [ordered[0][0]]


def test_the_error_is_a_share_of_each_columns_spread() -> None:
    """Three boxes and a score that is mostly nothing; the score is off by as much as it varies."""
    before = np.zeros((1, 100, 5), np.float32)
    before[0, :, :4] = np.random.default_rng(0).normal(0, 100, (100, 4))
    before[0, ::10, 4] = 0.01
    after = before.copy()
    after[..., 4] += before[..., 4].std()
    assert error([[before]], [[after]]) == pytest.approx(1.0, rel=0.01)
    assert error([[before.transpose(0, 2, 1)]], [[after.transpose(0, 2, 1)]]) == pytest.approx(1.0, rel=0.01)
    assert error([[before]], [[before]]) == 0.0
