"""A small model that finds bright squares, pictures to find them on, and waiting with a deadline."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from lineside.contract.ids import digest_of
from lineside.contract.model import Signature
from lineside.runtime.model import Model, load_folder
from tests.runtime.sinks.broker import Broker, Listener

SIDE = 64
BRIGHT = Signature(head="compact", input_width=SIDE, input_height=SIDE, labels=("bright",), score_threshold=0.6, pad=0)


def bright_model(side: int = SIDE) -> bytes:
    """An ONNX file whose score in each grid cell of strides 8, 16 and 32 is the cell's mean brightness 0..1."""
    nodes = [helper.make_node("ReduceMean", ["images"], ["grey"], axes=[1], keepdims=1)]
    boxes, scores = [], []
    for stride in (8, 16, 32):
        cells = side // stride
        shape = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes.append(helper.make_node("AveragePool", ["grey"], [f"mean{stride}"], **shape))
        nodes.append(helper.make_node("Reshape", [f"mean{stride}", "column"], [f"score{stride}"]))
        scores.append(f"score{stride}")
        y, x = np.mgrid[:cells, :cells]
        corner = np.stack([x.ravel(), y.ravel()], axis=1) * stride
        boxes.append(np.concatenate([corner, corner + stride], axis=1))
    nodes.append(helper.make_node("Concat", scores, ["scores"], axis=1))
    nodes.append(helper.make_node("Concat", ["boxes", "scores"], ["output"], axis=2))
    rows = np.concatenate(boxes).astype(np.float32)[None]
    constants = [
        numpy_helper.from_array(rows, "boxes"),
        numpy_helper.from_array(np.array([1, -1, 1], np.int64), "column"),
    ]
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, rows.shape[1], 5])]
    graph = helper.make_graph(nodes, "bright", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return onnx.ModelProto.SerializeToString(model)


def write_model(folder: Path, signature: Signature = BRIGHT, data: bytes | None = None) -> Path:
    """A model component's folder."""
    data = bright_model() if data is None else data
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(data)
    (folder / "signature.json").write_bytes(msgspec.json.encode(signature))
    identity = {"name": "bright", "version": 3, "digest": digest_of(data)}
    (folder / "model.json").write_text(json.dumps(identity))
    return folder


def squares(*places: tuple[int, int], side: int = SIDE, edge: int = 8) -> NDArray[np.uint8]:
    """A black picture with white squares of `edge` pixels whose corners (x, y) are given."""
    pixels = np.zeros((side, side, 3), np.uint8)
    for x, y in places:
        pixels[y : y + edge, x : x + edge] = 255
    return pixels


def encoded(pixels: NDArray[np.uint8], kind: str = "PNG", **options: object) -> bytes:
    """Pixels as an image file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def bright_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("bright"))


@pytest.fixture(scope="session")
def bright(bright_folder: Path) -> Model:
    return load_folder(bright_folder, threads=1)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A running Mosquitto; the test is marked `mosquitto`."""
    made = Broker(tmp_path / "broker")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    """Hears all that is published at the broker."""
    made = Listener(broker)
    yield made
    made.close()
