"""An ONNX detector with random weights and the shapes of the compact one, made here: nothing to download."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 320
CLASSES = 3
STRIDES = (8, 16, 32)
_CHANNELS = (16, 32, 64, 128, 192)  # after each halving of the resolution


def detector(seed: int = 0) -> bytes:
    """float32 [1, 3, 320, 320] -> [1, N, 4 + C]: boxes around the grid cells, scores that depend on the picture."""
    graph = _Graph(seed)
    features, outputs = "images", []
    planes = 3
    for stage, channels in enumerate(_CHANNELS):
        features = graph.convolution(features, planes, channels, size=3, stride=2, activation="Relu")
        features = graph.convolution(features, channels, channels, size=3, stride=1, activation="Relu")
        planes = channels
        if stage >= 2:
            raw = graph.convolution(features, planes, 4 + CLASSES, size=1, stride=1, activation="Sigmoid")
            outputs.append(graph.rows(raw))
    joined = graph.node("Concat", outputs, axis=1)
    graph.node("Add", [joined, graph.constant(_cells())], output="output")
    return graph.model()


def _cells() -> np.ndarray:
    """What is added to each row: a box of three cells around its cell; nothing to the scores."""
    tables = []
    for stride in STRIDES:
        y, x = np.mgrid[: SIDE // stride, : SIDE // stride]
        corner = np.stack([x.ravel(), y.ravel()], axis=1) * stride
        scores = np.zeros((len(corner), CLASSES))
        tables.append(np.concatenate([corner - stride, corner + 2 * stride, scores], axis=1))
    return np.concatenate(tables)[None].astype(np.float32)


class _Graph:
    """Collects nodes and weights; every value gets the next name."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def node(self, operator: str, inputs: list[str], output: str = "", **attributes: object) -> str:
        output = output or f"value{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, values: np.ndarray) -> str:
        name = f"weight{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(values, name))
        return name

    def convolution(self, source: str, inputs: int, outputs: int, *, size: int, stride: int, activation: str) -> str:
        scale = (2.0 / (inputs * size * size)) ** 0.5
        weights = self.constant(self._rng.normal(0, scale, (outputs, inputs, size, size)).astype(np.float32))
        raw = self.node("Conv", [source, weights], pads=[size // 2] * 4, strides=[stride] * 2)
        return self.node(activation, [raw])

    def rows(self, source: str) -> str:
        shape = self.constant(np.array([1, 4 + CLASSES, -1], np.int64))
        return self.node("Transpose", [self.node("Reshape", [source, shape])], perm=[0, 2, 1])

    def model(self) -> bytes:
        inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])]
        outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, None, 4 + CLASSES])]
        graph = helper.make_graph(self._nodes, "detector", inputs, outputs, self._weights)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return bytes(onnx.ModelProto.SerializeToString(made))
