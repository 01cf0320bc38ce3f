"""Files with a second input, the size that boxes are scaled to, as export_onnx.py of RT-DETR and D-FINE writes them."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature

SIZES = "orig_target_sizes"
"""int64 [1, 2]: width and height that boxes are scaled to."""


def one_input(data: bytes, signature: Signature) -> bytes:
    """The file with the size of its first input in place of `SIZES`: its boxes are in pixels of that.

    Errors: model.unreadable.
    """
    try:
        model = onnx.load_from_string(data)
        (listed,) = (one for one in model.graph.input if one.name == SIZES)
        model.graph.input.remove(listed)
        size = np.array([[signature.input_width, signature.input_height]], np.int64)
        model.graph.initializer.append(numpy_helper.from_array(size, SIZES))
        filled: bytes = model.SerializeToString()
    except Exception as failure:  # the boundary: what onnx raises about files of others has no common kind
        raise LinesideError("model.unreadable", why=failure) from failure
    return filled
