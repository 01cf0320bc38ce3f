"""Small networks as ONNX files: convolutions with random weights, as older and newer exporters write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE = 32


def chain(
    file: Path, *, channels: int = 3, opset: int = 17, first: int = 3, pads: tuple[int, ...] = (1, 1, 1, 1)
) -> Path:
    """images [1, channels, 32, 32] ► four convolutions named c0 … c3 with ReLU between ► output [1, 4, 64].

    The first has a kernel of `first` and its `pads`; c3 is the tail.
    """
    rng = np.random.default_rng(0)
    nodes, weights = [], []
    value, planes = "images", channels
    for number in range(4):
        size, around = (first, pads) if number == 0 else (3, (1, 1, 1, 1))
        scale = (2.0 / (planes * size**2)) ** 0.5
        made = 4 if number == 3 else 8
        weights.append(
            numpy_helper.from_array(rng.normal(0, scale, (made, planes, size, size)).astype(np.float32), f"w{number}")
        )
        stride = 2 if number in (0, 3) else 1
        nodes.append(
            helper.make_node(
                "Conv", [value, f"w{number}"], [f"v{number}"], f"c{number}", pads=list(around), strides=[stride] * 2
            )
        )
        value, planes = f"v{number}", made
        if number < 3:
            nodes.append(helper.make_node("Relu", [value], [f"r{number}"], f"relu{number}"))
            value = f"r{number}"
    weights.append(numpy_helper.from_array(np.array([1, 4, -1], np.int64), "shape"))
    nodes.append(helper.make_node("Reshape", [value, "shape"], ["output"], "rows"))
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, channels, SIDE, SIDE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 4, 64])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    file.write_bytes(onnx.ModelProto.SerializeToString(model))
    return file


def pictures(count: int, channels: int = 3) -> list[NDArray[np.uint8]]:
    """Pixels uint8 [1, 32, 32, channels]."""
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (1, SIDE, SIDE, channels), np.uint8) for _ in range(count)]


def planes_of(
    pixels: NDArray[np.uint8], scale: float = 1 / 255, mean: float = 0.0, std: float = 1.0
) -> NDArray[np.float32]:
    """The float32 tensor [1, C, 32, 32] that a signature makes of pixels."""
    values = (pixels.transpose(0, 3, 1, 2).astype(np.float32) * scale - mean) / std
    return np.ascontiguousarray(values, np.float32)
