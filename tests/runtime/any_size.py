"""A model whose input may be of any size, and its signatures."""

from __future__ import annotations

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lineside.contract.model import Signature

WHOLE = Signature(head="yolox", input_width=128, input_height=96, labels=("bright",), score_threshold=0.5)
CUT = msgspec.structs.replace(WHOLE, size_divisor=32)


def bright_at_any_size(width: int | str = "width", height: int | str = "height") -> bytes:
    """An ONNX file of head yolox whose cells of strides 8, 16 and 32 are boxes of their own size, as sure as they are
    bright; its input has those dimensions, open ones by name."""
    nodes = [helper.make_node("ReduceMean", ["images"], ["grey"], axes=[1], keepdims=1)]
    for stride in (8, 16, 32):
        shape = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes.append(helper.make_node("AveragePool", ["grey"], [f"mean{stride}"], **shape))
        nodes.append(helper.make_node("Reshape", [f"mean{stride}", "column"], [f"score{stride}"]))
    nodes += [
        helper.make_node("Concat", ["score8", "score16", "score32"], ["score"], axis=1),
        helper.make_node("Mul", ["score", "zero"], ["nought"]),
        helper.make_node("Add", ["nought", "half"], ["middle"]),
        helper.make_node("Add", ["nought", "one"], ["sure"]),
        helper.make_node("Concat", ["middle", "middle", "nought", "nought", "score", "sure"], ["output"], axis=2),
    ]
    constants = [numpy_helper.from_array(np.array([1, -1, 1], np.int64), "column")]
    constants += [numpy_helper.from_array(np.float32(v), n) for n, v in (("zero", 0), ("half", 0.5), ("one", 1))]
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, height, width])]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, None, 6])]
    graph = helper.make_graph(nodes, "bright", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return onnx.ModelProto.SerializeToString(model)
