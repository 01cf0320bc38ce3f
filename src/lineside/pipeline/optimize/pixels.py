"""Pixels as input: the conversion from uint8 to the values a network wants, moved into its graph.

    uint8 [1, H, W, C] ─► planes ─► (pixel * scale - mean) / std ─► what was there before

A device then copies pixels, and does no arithmetic of its own. Of an INT8 graph whose input is quantized first, the
scale of that quantization becomes the conversion: nothing is left of it.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from lineside.contract.model import Signature
from lineside.pipeline.optimize.graphs import (
    add_weight,
    drop_unread,
    maker,
    put_first,
    readers,
    set_input,
    sizes_of_input,
    weight_of,
)

INPUT = "pixels"
_PLANES = "pixel_planes"


def folded(model: Any, signature: Signature) -> tuple[Any, Signature]:
    """The model (changed in place) with pixels as its input, and the signature that says so."""
    before = model.graph.input[0].name
    height, width = sizes_of_input(model)[2:]
    channels = 1 if signature.channels == "grey" else 3
    gain = np.array([signature.scale / std for std in signature.std[:channels]], np.float32)
    bias = np.array([-m / s for m, s in zip(signature.mean[:channels], signature.std, strict=False)], np.float32)
    planes = helper.make_node("Transpose", [INPUT], [_PLANES], perm=[0, 3, 1, 2], name=_PLANES)
    if _into_quantization(model, before, gain, bias):
        put_first(model, [planes])
    else:
        into_weights = not bias.any() and _into_weights(model, before, gain)
        put_first(model, [planes, *_arithmetic(model, before, gain, bias, plain=into_weights)])
    set_input(model, INPUT, TensorProto.UINT8, (1, height, width, channels))
    del model.graph.value_info[:]
    return model, msgspec.structs.replace(signature, input="uint8")


def _into_quantization(model: Any, before: str, gain: Any, bias: Any) -> bool:
    """The pixels are the quantized input, where one scale says all and nothing is subtracted."""
    found = readers(model, before)
    if bias.any() or len(set(gain.tolist())) != 1 or len(found) != 1 or found[0].op_type != "QuantizeLinear":
        return False
    (quantize,) = found
    zero = weight_of(model, quantize.input[2])
    if zero is None or zero.data_type != TensorProto.UINT8:
        return False
    scale = add_weight(model, "pixel_scale", gain[0])
    nought = add_weight(model, "pixel_zero", np.array(0, np.uint8))
    for back in readers(model, quantize.output[0]):
        back.input[:] = [_PLANES, scale, nought]
    model.graph.node.remove(quantize)
    drop_unread(model)
    return True


def _into_weights(model: Any, before: str, gain: Any) -> bool:
    """The gain is part of the first convolution's weights, where nothing else reads the input."""
    found = readers(model, before)
    if len(found) != 1 or found[0].op_type != "Conv" or found[0].input[0] != before:
        return False
    weight = weight_of(model, found[0].input[1])
    if weight is None or len(readers(model, weight.name)) != 1:
        return False
    values = numpy_helper.to_array(weight)
    if values.shape[1] != len(gain):
        return False
    weight.CopyFrom(numpy_helper.from_array(values * gain[None, :, None, None], weight.name))
    return True


def _arithmetic(model: Any, before: str, gain: Any, bias: Any, *, plain: bool) -> list[Any]:
    """Nodes from planes of pixels to the input that was there; `plain`: without any arithmetic."""
    steps: list[tuple[str, Any]] = []
    if not plain and (gain != 1).any():
        steps.append(("Mul", gain))
    if bias.any():
        steps.append(("Add", bias))
    names = ["pixel_values", *(f"pixel_{operator.lower()}" for operator, _ in steps)]
    nodes = [helper.make_node("Cast", [_PLANES], [names[0]], to=TensorProto.FLOAT, name=names[0])]
    for (operator, values), source, name in zip(steps, names, names[1:], strict=False):
        constant = add_weight(model, f"{name}_by", values.reshape(1, -1, 1, 1))
        nodes.append(helper.make_node(operator, [source, constant], [name], name=name))
    nodes[-1].output[:] = [before]
    assert maker(model, before) is None
    return nodes
