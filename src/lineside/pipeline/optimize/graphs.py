"""ONNX graphs: read for changing, and asked who makes and who reads a value."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.version_converter
import onnxslim
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from lineside.contract.errors import LinesideError

OPSET = 17
"""What older graphs are converted to: scales of single channels exist since 13."""


@contextmanager
def telling(file: str) -> Iterator[None]:
    """What onnx, onnxslim and onnxruntime raise about a model they cannot change is `quantize.failed`."""
    try:
        yield
    except Exception as error:  # the boundary: what they raise about graphs of others has no common kind
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise LinesideError("quantize.failed", file=file, why=why) from error


def prepared(file: Path) -> Any:
    """A file's model, simplified, of opset 17 or later, weights no inputs of it. Raises what `telling` knows."""
    model = onnx.load(file)
    opset = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 0)
    if opset < OPSET:
        model = onnx.version_converter.convert_version(model, OPSET)
    weights = {weight.name for weight in model.graph.initializer}
    for listed in [one for one in model.graph.input if one.name in weights]:
        model.graph.input.remove(listed)
    return onnxslim.slim(model)


def name_nodes(model: Any) -> None:
    """Give each node a name of its own: files of others may have nodes without, and layers go by their names."""
    taken: set[str] = set()
    for number, node in enumerate(model.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}_at_{number}"
        taken.add(node.name)


def checked(model: Any) -> bytes:
    """The bytes of a model that was changed. Raises `onnx.checker.ValidationError` when the change broke it."""
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def readers(model: Any, value: str) -> list[Any]:
    """The nodes that read a value."""
    return [node for node in model.graph.node if value in node.input]


def maker(model: Any, value: str) -> Any | None:
    """The node that makes a value."""
    return next((node for node in model.graph.node if value in node.output), None)


def weight_of(model: Any, name: str) -> Any | None:
    """The initializer of that name."""
    return next((weight for weight in model.graph.initializer if weight.name == name), None)


def add_weight(model: Any, name: str, values: NDArray[Any]) -> str:
    """A new initializer; answers its name."""
    model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
    return name


def drop_unread(model: Any) -> None:
    """Take out the weights that nothing reads any more."""
    read = {value for node in model.graph.node for value in node.input}
    for weight in [one for one in model.graph.initializer if one.name not in read]:
        model.graph.initializer.remove(weight)


def put_first(model: Any, nodes: list[Any]) -> None:
    """New nodes before all that are there."""
    for place, node in enumerate(nodes):
        model.graph.node.insert(place, node)


def sizes_of_input(model: Any) -> list[int | str]:
    """The dimensions of the model's first input; open ones by their name."""
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    return [one.dim_value if one.HasField("dim_value") else one.dim_param for one in dimensions]


def set_input(model: Any, name: str, element: int, shape: tuple[int | str, ...]) -> None:
    """The one input of the model, in the place of the one that was."""
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info(name, element, shape))
