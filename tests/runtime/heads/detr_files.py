"""ONNX files of DETR's family in the layouts in which the projects write them, and what they mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.runtime.heads.layouts import HEIGHT, LABELS, WIDTH, Row

QUERIES = 20
Outputs = dict[str, NDArray[np.float32]]


def truth(rng: np.random.Generator, classes: int = len(LABELS)) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Boxes cx, cy, w, h as shares [Q, 4] and probabilities [Q, classes], of which a few are high."""
    size = rng.uniform(0.1, 0.3, (QUERIES, 2))
    boxes = np.concatenate([size / 2 + rng.random((QUERIES, 2)) * (1 - size), size], axis=1)
    scores = rng.uniform(0.001, 0.05, (QUERIES, classes))
    for row in rng.choice(QUERIES, 6, replace=False):
        scores[row, rng.integers(classes)] = rng.uniform(0.4, 0.95)
    return boxes, scores


def said(boxes: NDArray[np.float64], scores: NDArray[np.float64]) -> list[Row]:
    """What that means: corners in pixels of the input, the best score and its class, one query after the other."""
    rows: list[Row] = []
    for (cx, cy, w, h), each in zip(boxes.tolist(), scores.tolist(), strict=True):
        best = max(range(len(each)), key=lambda number: each[number])
        corners = ((cx - w / 2) * WIDTH, (cy - h / 2) * HEIGHT, (cx + w / 2) * WIDTH, (cy + h / 2) * HEIGHT)
        rows.append((*corners, each[best], best))
    return rows


def logits(scores: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.array([[math.log(p / (1 - p)) for p in row] for row in scores.tolist()], np.float32)[None]


class Graph:
    """An ONNX file that answers with tables, whatever it is shown (but it has to read it)."""

    def __init__(self) -> None:
        self.nodes = [
            helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
            helper.make_node("Mul", ["mean", "nought"], ["nothing"]),
        ]
        self.constants = [numpy_helper.from_array(np.array(0.0, np.float32), "nought")]
        self.inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])]
        self.outputs: list[onnx.ValueInfoProto] = []

    def table(self, name: str, values: NDArray[np.float32]) -> str:
        self.constants.append(numpy_helper.from_array(values.astype(np.float32), f"{name}_table"))
        self.nodes.append(helper.make_node("Add", [f"{name}_table", "nothing"], [f"{name}_value"]))
        return f"{name}_value"

    def out(
        self, name: str, value: str, operator: str = "Identity", kind: int = TensorProto.FLOAT, **more: int
    ) -> None:
        self.nodes.append(helper.make_node(operator, value.split(), [name], **more))
        self.outputs.append(helper.make_tensor_value_info(name, kind, None))

    def file(self) -> bytes:
        graph = helper.make_graph(self.nodes, "answers", self.inputs, self.outputs, self.constants)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        return bytes(onnx.ModelProto.SerializeToString(made))


def plain(outputs: Outputs) -> bytes:
    graph = Graph()
    for name, values in outputs.items():
        graph.out(name, graph.table(name, values))
    return graph.file()


def finished(boxes: NDArray[np.float64], scores: NDArray[np.float64], order: Sequence[str]) -> bytes:
    """As export_onnx.py of RT-DETR and D-FINE: classes chosen, corners scaled by `orig_target_sizes` in the graph."""
    graph = Graph()
    graph.inputs.append(helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, [1, 2]))
    graph.nodes += [
        helper.make_node("Cast", ["orig_target_sizes"], ["size"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["size", "size"], ["sizes"], axis=1),
    ]
    corners = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)
    for name in order:
        if name == "labels":
            value = graph.table("labels", scores.argmax(axis=1)[None].astype(np.float32))
            graph.out("labels", value, "Cast", TensorProto.INT64, to=TensorProto.INT64)
        elif name == "scores":
            graph.out("scores", graph.table("scores", scores.max(axis=1)[None].astype(np.float32)))
        else:
            graph.out("boxes", f"{graph.table('boxes', corners[None].astype(np.float32))} sizes", "Mul")
    return graph.file()


def as_shares(boxes: NDArray[np.float64]) -> NDArray[np.float32]:
    return boxes[None].astype(np.float32)


def raw(boxes: NDArray[np.float64], scores: NDArray[np.float64]) -> bytes:
    return plain({"logits": logits(scores), "pred_boxes": as_shares(boxes)})


def rf_detr(boxes: NDArray[np.float64], scores: NDArray[np.float64]) -> bytes:
    """Its place for no object comes last and is surer than anything."""
    columns = np.concatenate([logits(scores), np.full((1, QUERIES, 1), 9.0, np.float32)], axis=2)
    return plain({"dets": as_shares(boxes), "labels": columns})


def ultralytics(boxes: NDArray[np.float64], scores: NDArray[np.float64]) -> bytes:
    return plain({"output0": np.concatenate([boxes, scores], axis=1)[None].astype(np.float32)})


LAYOUTS = {
    "raw": raw,
    "rf-detr": rf_detr,
    "d-fine": lambda boxes, scores: finished(boxes, scores, ("labels", "boxes", "scores")),
    "another order": lambda boxes, scores: finished(boxes, scores, ("scores", "labels", "boxes")),
    "ultralytics": ultralytics,
}
