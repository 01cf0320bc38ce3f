"""An ONNX detector with random weights and the shapes of the compact one, made here: nothing to download.

As costly as what people call YOLO nano: about 3 MB, 4.2 billion multiplications at 640 x 640 (YOLOv8n: 4.4), SiLU.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 320
CLASSES = 3
STRIDES = (8, 16, 32)
_STAGES = ((16, 0), (40, 4), (64, 4), (96, 1), (128, 1))  # channels and residuals after each halving of the resolution
_QUIET = 0.02  # share of the usual weights in the last layer: scores lie between 0 and 1, not at them
_NECK, _TOWER = 64, 4  # channels and convolutions of what looks at each of the three strides


def detector(side: int = SIDE, *, seed: int = 0, any_size: bool = False) -> bytes:
    """float32 [1, 3, side, side] -> [1, N, 4 + C]: boxes around the grid cells, scores that depend on the picture; with
    `any_size` of any height and width up to `side`. The weights are those of the seed, whatever the size."""
    graph = _Graph(seed, ("height", "width") if any_size else (side, side))
    tower = [graph.weights(_NECK, _NECK, 3) for _ in range(_TOWER)]
    features, planes = "images", 3
    outputs = []
    for stage, (channels, residuals) in enumerate(_STAGES):
        features = graph.silu(graph.convolution(features, graph.weights(planes, channels, 3), size=3, stride=2))
        for _ in range(residuals):
            features = graph.residual(features, channels)
        planes = channels
        if stage >= 2:
            seen = graph.silu(graph.convolution(features, graph.weights(planes, _NECK, 1), size=1))
            for weights in tower:
                seen = graph.silu(graph.convolution(seen, weights, size=3))
            raw = graph.convolution(seen, graph.weights(_NECK, 4 + CLASSES, 1, share=_QUIET), size=1)
            cells = graph.constant(_cells(side, STRIDES[stage - 2]))
            if any_size:
                cells = graph.as_large_as(raw, cells)
            outputs.append(graph.rows(graph.node("Add", [graph.node("Sigmoid", [raw]), cells])))
    graph.node("Concat", outputs, output="output", axis=1)
    return graph.model()


def _cells(side: int, stride: int) -> np.ndarray:
    """What is added to each cell [1, 4 + C, rows, columns]: a box of three cells around it; nothing to the scores."""
    y, x = np.mgrid[: side // stride, : side // stride] * stride
    scores = np.zeros((CLASSES, *x.shape))
    return np.stack([x - stride, y - stride, x + 2 * stride, y + 2 * stride, *scores])[None].astype(np.float32)


class _Graph:
    """Collects nodes and weights; every value gets the next name."""

    def __init__(self, seed: int, size: tuple[int | str, int | str]) -> None:
        self._rng = np.random.default_rng(seed)
        self._shape = [1, 3, *size]
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

    def weights(self, inputs: int, outputs: int, size: int, share: float = 1.0) -> str:
        scale = share * (2.0 / (inputs * size * size)) ** 0.5
        return self.constant(self._rng.normal(0, scale, (outputs, inputs, size, size)).astype(np.float32))

    def convolution(self, source: str, weights: str, *, size: int, stride: int = 1) -> str:
        return self.node("Conv", [source, weights], pads=[size // 2] * 4, strides=[stride] * 2)

    def silu(self, source: str) -> str:
        return self.node("Mul", [source, self.node("Sigmoid", [source])])

    def residual(self, source: str, channels: int) -> str:
        narrow = self.silu(self.convolution(source, self.weights(channels, channels // 2, 3), size=3))
        wide = self.silu(self.convolution(narrow, self.weights(channels // 2, channels, 3), size=3))
        return self.node("Add", [source, wide])

    def as_large_as(self, model: str, table: str) -> str:
        """The corner of a table [1, C, rows, columns] that is as high and wide as another value."""
        begin, axes = self.constant(np.array([0, 0], np.int64)), self.constant(np.array([2, 3], np.int64))
        return self.node("Slice", [table, begin, self.node("Shape", [model], start=2), axes])

    def rows(self, source: str) -> str:
        shape = self.constant(np.array([1, 4 + CLASSES, -1], np.int64))
        return self.node("Transpose", [self.node("Reshape", [source, shape])], perm=[0, 2, 1])

    def model(self) -> bytes:
        inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, self._shape)]
        outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, None, 4 + CLASSES])]
        graph = helper.make_graph(self._nodes, "detector", inputs, outputs, self._weights)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return bytes(onnx.ModelProto.SerializeToString(made))
