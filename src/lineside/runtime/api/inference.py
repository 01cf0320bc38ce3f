"""One inference: an encoded picture to detections, or the model's own input tensor to its own outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from lineside.contract.result import Detection
from lineside.runtime.api.messages import Inference
from lineside.runtime.api.models import Ask, Slot
from lineside.runtime.api.server import Refused
from lineside.runtime.api.tensors import BYTES, Tensor, datatype_of
from lineside.runtime.engines import Port
from lineside.runtime.model import Model

IMAGE = "image"
"""The input that takes an image file as it is: BYTES, one element."""

_FOUND: tuple[tuple[str, str, list[int]], ...] = (
    ("detections", BYTES, [1]),
    ("detection_boxes", "FP32", [-1, 4]),
    ("detection_scores", "FP32", [-1]),
    ("detection_classes", "INT32", [-1]),
    ("detection_labels", BYTES, [-1]),
)
"""What is answered to `image`: all detections as one JSON text, and the same as tensors, one row a detection; boxes are
x, y, width, height in pixels of the original."""


class Answered(NamedTuple):
    """Outputs, which model version they are of, and facts about the answer."""

    outputs: list[Tensor]
    version: int
    facts: dict[str, Any]


def metadata(name: str, model: Model) -> dict[str, Any]:
    """A model as the protocol describes it. Its own input belongs to its own outputs, `image` to the detections."""
    own = [_shown(*_port(port)) for port in model.inputs]
    outputs = [_shown(*_port(port)) for port in model.outputs]
    return {
        "name": name,
        "versions": [str(model.identity.version)],
        "platform": "onnx",
        "inputs": [*own, _shown(IMAGE, BYTES, [1])],
        "outputs": [*outputs, *(_shown(*one) for one in _FOUND)],
    }


def config(name: str, model: Model) -> dict[str, Any]:
    """The same in the words of Triton's model configuration."""
    known = metadata(name, model)
    return {
        "name": name,
        "platform": "onnxruntime_onnx",
        "backend": "onnxruntime",
        "max_batch_size": 0,
        "input": [_configured(one) | {"optional": True} for one in known["inputs"]],
        "output": [_configured(one) for one in known["outputs"]],
    }


def infer(name: str, slot: Slot, asked: Inference, ask: Ask) -> Answered:
    """What the model that stands there just now answers. Raises `Refused`, `image.*`, `model.run_failed`."""
    if len(asked.inputs) != 1:
        raise Refused(400, f"model '{name}' takes one input, and {len(asked.inputs)} were given")
    (tensor,) = asked.inputs
    model = slot.model
    if tensor.name == IMAGE and tensor.datatype == BYTES:
        _check_outputs(name, asked, [found for found, _, _ in _FOUND])
        return _detected(name, slot, tensor, ask)
    if tensor.name not in [port.name for port in model.inputs]:
        raise Refused(400, f"unexpected inference input '{tensor.name[:80]}' for model '{name}'")
    _check_outputs(name, asked, [port.name for port in model.outputs])
    return _run(name, model, tensor)


def _run(name: str, model: Model, tensor: Tensor) -> Answered:
    """Of an open size at most what the line feeds: a larger tensor would take memory that stays taken."""
    _, datatype, shape = _port(model.inputs[0])
    most = model.input_shape
    fits = len(shape) == len(most) == len(tensor.shape) and all(
        size == one if one != -1 else 0 < size <= limit
        for one, limit, size in zip(shape, most, tensor.shape, strict=True)
    )
    if tensor.datatype != datatype or not fits or not isinstance(tensor.value, np.ndarray):
        wanted = f"{datatype} {shape}" + (f", at most {list(most)}" if -1 in shape else "")
        found = f"{tensor.datatype[:20]} {list(tensor.shape)}"
        raise Refused(400, f"input '{tensor.name}' of model '{name}' is {wanted}, and {found} was given")
    outputs = model.run(tensor.value)
    named = zip(model.outputs, outputs, strict=True)
    return Answered([Tensor.of(port.name, value) for port, value in named], model.identity.version, {})


def _detected(name: str, slot: Slot, tensor: Tensor, ask: Ask) -> Answered:
    if not isinstance(tensor.value, list) or len(tensor.value) != 1:
        raise Refused(400, f"input '{IMAGE}' takes one image, and {len(tensor.value)} were given")
    (data,) = tensor.value
    result = ask(name, data)
    if result is not None:
        facts = {"width": result.width, "height": result.height, "latency_ms": result.latency_ms}
        return Answered(_found(result.detections), result.version, facts | {"sequence": result.sequence})
    answer = slot.detect(data)
    picture, latency = answer.inference.picture, round(answer.inference.latency_ms, 3)
    facts = {"width": picture.width, "height": picture.height, "latency_ms": latency}
    return Answered(_found(answer.published), answer.model.identity.version, facts)


def _found(detections: Sequence[Detection]) -> list[Tensor]:
    boxes = np.array([(one.x, one.y, one.width, one.height) for one in detections], "<f4").reshape(-1, 4)
    return [
        Tensor.of_strings("detections", [msgspec.json.encode(detections)]),
        Tensor.of("detection_boxes", boxes),
        Tensor.of("detection_scores", np.array([one.confidence for one in detections], "<f4")),
        Tensor.of("detection_classes", np.array([one.class_index for one in detections], "<i4")),
        Tensor.of_strings("detection_labels", [one.label.encode() for one in detections]),
    ]


def _check_outputs(name: str, asked: Inference, known: Sequence[str]) -> None:
    if len(asked.outputs) > len({one for one, _ in asked.outputs}):
        raise Refused(400, f"an inference output of model '{name}' is asked for twice")
    unknown = next((one for one, _ in asked.outputs if one not in known), None)
    if unknown is not None:
        raise Refused(400, f"unexpected inference output '{unknown[:80]}' for model '{name}'")


def _port(port: Port) -> tuple[str, str, list[int]]:
    return port.name, datatype_of(port.element), [-1 if size is None else size for size in port.shape]


def _shown(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}


def _configured(one: dict[str, Any]) -> dict[str, Any]:
    datatype = "STRING" if one["datatype"] == BYTES else one["datatype"]
    return {"name": one["name"], "data_type": f"TYPE_{datatype}", "dims": one["shape"]}
