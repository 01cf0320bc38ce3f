"""fp16: weights kept as halves, in a file half as large; what is computed stays float32, on every processor."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from lineside.pipeline.optimize.graphs import put_first

_FEW = 64  # values; fewer are not worth a node
_LARGEST = float(np.finfo(np.float16).max)


def halved(model: Any) -> Any:
    """The model (changed in place) with its large weights as float16 and a cast behind each.

    Engines do the casts once, when they load the file. Weights that float16 cannot hold stay as they are.
    """
    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(weight)
        if values.size < _FEW or not (np.abs(values) <= _LARGEST).all():
            continue
        name, half = weight.name, f"{weight.name}_half"
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(helper.make_node("Cast", [half], [name], to=TensorProto.FLOAT, name=f"{name}_whole"))
    put_first(model, casts)
    return model
