"""ONNX files that answer with given tensors in each family's layout, and a decoder of each written on its own, plainly.

A decoder answers (x1, y1, x2, y2 in pixels of the input, score, class) of each row over a threshold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from lineside.contract.model import Signature

LABELS = ("a", "b", "c", "d", "e")
WIDTH, HEIGHT = 96, 64
CELLS = 12 * 8 + 6 * 4 + 3 * 2
SIGNATURE = Signature(
    head="yolox", input_width=WIDTH, input_height=HEIGHT, labels=LABELS, score_threshold=0.3, letterbox="stretch"
)

Tensors = list[NDArray[np.float32]]
Row = tuple[float, float, float, float, float, int]


def signature_of(head: str) -> Signature:
    """How a model of this head is fed here."""
    own = {"detr": {"iou_threshold": 1.0}}.get(head, {})
    return msgspec.structs.replace(SIGNATURE, head=head, **own)


def answers(outputs: Sequence[NDArray[np.float32]]) -> bytes:
    """An ONNX file that answers with these tensors, whatever it is shown (but it has to read it)."""
    shapes = [tuple(output.shape) for output in outputs]
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "nought"], ["nothing"]),
    ]
    constants = [numpy_helper.from_array(np.array(0.0, np.float32), "nought")]
    for number, output in enumerate(outputs):
        constants.append(numpy_helper.from_array(output, f"table{number}"))
        nodes.append(helper.make_node("Add", [f"table{number}", "nothing"], [f"output{number}"]))
    graph = helper.make_graph(
        nodes,
        "answers",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])],
        [helper.make_tensor_value_info(f"output{n}", TensorProto.FLOAT, shape) for n, shape in enumerate(shapes)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return onnx.ModelProto.SerializeToString(model)


def _boxes(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """cx, cy, w, h in pixels, whole inside the input."""
    size = rng.uniform(6, 20, (count, 2))
    centre = size / 2 + rng.random((count, 2)) * (np.array([WIDTH, HEIGHT]) - size)
    return np.concatenate([centre, size], axis=1).astype(np.float32)


def _scores(rng: np.random.Generator, count: int, classes: int = len(LABELS)) -> NDArray[np.float32]:
    """Mostly next to nothing; a few rows have one class that is likely."""
    scores = rng.uniform(0.0, 0.05, (count, classes))
    for row in rng.choice(count, 8, replace=False):
        scores[row, rng.integers(classes)] = rng.uniform(0.4, 0.95)
    return scores.astype(np.float32)


def compact(rng: np.random.Generator) -> Tensors:
    boxes = _boxes(rng, CELLS)
    corners = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)
    return [np.concatenate([corners, _scores(rng, CELLS)], axis=1)[None].astype(np.float32)]


def yolox(rng: np.random.Generator) -> Tensors:
    scores = _scores(rng, CELLS)
    objectness = np.where(scores.max(axis=1, keepdims=True) > 0.3, 0.9, 0.1)
    raw = np.concatenate([rng.uniform(0, 1, (CELLS, 2)), rng.uniform(-0.5, 0.5, (CELLS, 2)), objectness, scores], 1)
    return [raw[None].astype(np.float32)]


def yolov8(rng: np.random.Generator) -> Tensors:
    return [np.concatenate([_boxes(rng, CELLS), _scores(rng, CELLS)], axis=1).T[None].astype(np.float32)]


def yolov5(rng: np.random.Generator) -> Tensors:
    count = 3 * CELLS
    objectness = rng.uniform(0.7, 1.0, (count, 1))
    return [np.concatenate([_boxes(rng, count), objectness, _scores(rng, count)], axis=1)[None].astype(np.float32)]


def ssd(rng: np.random.Generator) -> Tensors:
    count = 50
    scores = _scores(rng, count)
    background = 1.0 - scores.max(axis=1, keepdims=True)
    boxes = _boxes(rng, count) / np.array([WIDTH, HEIGHT] * 2, np.float32)
    corners = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)
    return [np.concatenate([background, scores], axis=1)[None].astype(np.float32), corners[None].astype(np.float32)]


def detr(rng: np.random.Generator) -> Tensors:
    scores = _scores(rng, 30).clip(1e-3, None)
    boxes = _boxes(rng, 30) / np.array([WIDTH, HEIGHT] * 2, np.float32)
    return [np.log(scores / (1 - scores))[None].astype(np.float32), boxes[None].astype(np.float32)]


def classify(rng: np.random.Generator) -> Tensors:
    scores = rng.uniform(0.0, 0.1, (1, len(LABELS)))
    scores[0, rng.integers(len(LABELS))] = 0.7
    return [scores.astype(np.float32)]


MADE: dict[str, Callable[[np.random.Generator], Tensors]] = {
    "classify": classify,
    "compact": compact,
    "detr": detr,
    "ssd": ssd,
    "yolov5": yolov5,
    "yolov8": yolov8,
    "yolox": yolox,
}
"""Tensors as each family answers them, by head."""


def _best(scores: Sequence[float]) -> int:
    return max(range(len(scores)), key=lambda number: scores[number])


def _around(cx: float, cy: float, w: float, h: float) -> tuple[float, float, float, float]:
    return cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2


def read_compact(outputs: Tensors) -> list[Row]:
    return [(x1, y1, x2, y2, max(s), _best(s)) for x1, y1, x2, y2, *s in outputs[0][0].tolist()]


def read_yolox(outputs: Tensors) -> list[Row]:
    found: list[Row] = []
    rows = iter(outputs[0][0].tolist())
    for stride in (8, 16, 32):
        for cell_y in range(HEIGHT // stride):
            for cell_x in range(WIDTH // stride):
                x, y, w, h, objectness, *scores = next(rows)
                box = _around((x + cell_x) * stride, (y + cell_y) * stride, math.exp(w) * stride, math.exp(h) * stride)
                found.append((*box, objectness * max(scores), _best(scores)))
    return found


def read_yolov8(outputs: Tensors) -> list[Row]:
    columns = outputs[0][0].tolist()
    found: list[Row] = []
    for number in range(len(columns[0])):
        cx, cy, w, h, *scores = (column[number] for column in columns)
        found.append((*_around(cx, cy, w, h), max(scores), _best(scores)))
    return found


def read_yolov5(outputs: Tensors) -> list[Row]:
    return [
        (*_around(cx, cy, w, h), objectness * max(scores), _best(scores))
        for cx, cy, w, h, objectness, *scores in outputs[0][0].tolist()
    ]


def read_ssd(outputs: Tensors) -> list[Row]:
    rows = zip(outputs[0][0].tolist(), outputs[1][0].tolist(), strict=True)
    return [
        (x1 * WIDTH, y1 * HEIGHT, x2 * WIDTH, y2 * HEIGHT, max(scores), _best(scores))
        for (_, *scores), (x1, y1, x2, y2) in rows
    ]


def read_detr(outputs: Tensors) -> list[Row]:
    found: list[Row] = []
    for logits, (cx, cy, w, h) in zip(outputs[0][0].tolist(), outputs[1][0].tolist(), strict=True):
        scores = [1 / (1 + math.exp(-logit)) for logit in logits]
        box = _around(cx * WIDTH, cy * HEIGHT, w * WIDTH, h * HEIGHT)
        found.append((*box, max(scores), _best(scores)))
    return found


def read_classify(outputs: Tensors) -> list[Row]:
    scores = outputs[0][0].tolist()
    return [(0.0, 0.0, float(WIDTH), float(HEIGHT), max(scores), _best(scores))]


READ: dict[str, Callable[[Tensors], list[Row]]] = {
    "classify": read_classify,
    "compact": read_compact,
    "detr": read_detr,
    "ssd": read_ssd,
    "yolov5": read_yolov5,
    "yolov8": read_yolov8,
    "yolox": read_yolox,
}
"""What such tensors mean, by head."""


def kept(rows: list[Row], threshold: float, overlap: float) -> list[Row]:
    """Rows over the threshold after non-maximum suppression in each class, most confident first."""
    found: list[Row] = []
    for row in sorted((row for row in rows if row[4] >= threshold), key=lambda row: -row[4]):
        if all(row[5] != other[5] or _iou(row, other) <= overlap for other in found):
            found.append(row)
    return found


def _iou(a: Row, b: Row) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(0.0, width) * max(0.0, height)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)
