"""The first convolution of an INT8 graph, made to read pairs of pixels: the same sums, from memory in larger pieces.

    pixels [1, H, W, C] as [1, H, W / 2, 2 C] (the same bytes), weights rearranged to fit, steps of one pair

A quantized convolution over three channels spends its time on gathering single pixels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from onnx import helper, numpy_helper

from lineside.pipeline.optimize.graphs import add_weight, maker, readers, weight_of
from lineside.pipeline.optimize.pixels import INPUT

_PAIRS = "pixel_pairs"
_PLAIN = {"group": 1, "auto_pad": b"NOTSET", "dilations": [1, 1]}


class _First(NamedTuple):
    """pixels ► transpose ► DequantizeLinear ► convolution, with INT8 weights around 0."""

    transpose: Any
    convolution: Any
    weight: Any


def paired(model: Any) -> bool:
    """Change the model in place; False where its first convolution is none that this fits: then nothing changed."""
    found = _first(model)
    if found is None:
        return False
    height, width, channels = (size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim[1:])
    values = numpy_helper.to_array(found.weight)
    about = _attributes(found.convolution)
    top, left, bottom, right = about.get("pads", [0] * 4)
    step, across = about.get("strides", [1, 1])
    rows, columns = values.shape[2:]
    first, last = -left // 2, (columns - 1 - left) // 2  # pairs, counted from the one a step stands on
    size, made = last - first + 1, (width + left + right - columns) // 2 + 1
    behind = made - width // 2 + first + size - 1
    if across != 2 or width % 2 or values.shape[1] != channels or behind < 0:
        return False
    wider = np.zeros((values.shape[0], 2 * channels, rows, size), values.dtype)
    for column in range(columns):
        pair, side = divmod(column - left, 2)
        wider[:, side * channels : (side + 1) * channels, :, pair - first] = values[:, :, :, column]
    found.weight.CopyFrom(numpy_helper.from_array(wider, found.weight.name))
    changed = {"kernel_shape": [rows, size], "strides": [step, 1], "pads": [top, -first, bottom, behind]}
    del found.convolution.attribute[:]
    found.convolution.attribute.extend(helper.make_attribute(name, value) for name, value in changed.items())
    shape = add_weight(model, f"{_PAIRS}_shape", np.array([1, height, width // 2, 2 * channels], np.int64))
    found.transpose.input[0] = _PAIRS
    model.graph.node.insert(0, helper.make_node("Reshape", [INPUT, shape], [_PAIRS], name=_PAIRS))
    return True


def _first(model: Any) -> _First | None:
    chain, value = [], INPUT
    for kind in ("Transpose", "DequantizeLinear", "Conv"):
        found = readers(model, value)
        if len(found) != 1 or found[0].op_type != kind:
            return None
        chain.append(found[0])
        value = found[0].output[0]
    about = _attributes(chain[-1])
    back = maker(model, chain[-1].input[1])
    if back is None or len(back.input) < 3 or any(about.get(name, plain) != plain for name, plain in _PLAIN.items()):
        return None
    weight, zero = weight_of(model, back.input[0]), weight_of(model, back.input[2])
    if weight is None or zero is None or len(readers(model, weight.name)) != 1 or numpy_helper.to_array(zero).any():
        return None
    return _First(chain[0], chain[-1], weight)


def _attributes(node: Any) -> dict[str, Any]:
    return {one.name: helper.get_attribute_value(one) for one in node.attribute}
