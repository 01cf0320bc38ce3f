"""A trainer for tests: a detector of white squares of 8 x 8 pixels on a grid of 8, known before it trains.

It takes as many epochs as it is asked for, keeps the last one in its working folder as a real trainer does, and writes
a line to the file `journal` for every epoch it does, so that a test can count them over processes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lineside.contract.model import Signature
from lineside.pipeline.trainers.base import Progress, TrainJob

SIDE = 64  # pixels
_STRIDES = (8, 16, 32)


class SpeckTrainer:
    """See the module. `blind`: finds nothing. `broken`: fails in that epoch. `hold`: a folder; an epoch N waits as long
    as it has a file N."""

    name = "speck"
    keeps = ("last.json",)

    def defaults(self) -> dict[str, Any]:
        return {"epochs": 3, "blind": False, "broken": 0, "journal": "", "hold": ""}

    def signature(self, labels: tuple[str, ...], parameters: dict[str, Any]) -> Signature:
        return Signature(head="yolox", input_width=SIDE, input_height=SIDE, channels="bgr", scale=1.0, labels=labels)

    def train(self, job: TrainJob, report: Callable[[Progress], None]) -> Path:
        epochs = job.parameters["epochs"]
        last = job.workdir / "last.json"
        done = json.loads(last.read_text())["epoch"] if last.exists() else 0
        if done:
            report(_progress(done, epochs))  # it may have been killed before anybody heard
        for epoch in range(done + 1, epochs + 1):
            if epoch == job.parameters["broken"]:
                raise RuntimeError("the loss is not a number")
            _wait(job.parameters["hold"], epoch)
            _note(job.parameters["journal"], f"epoch {epoch}")
            part = job.workdir / "last.part"
            part.write_text(json.dumps({"epoch": epoch, "seed": job.seed}))
            part.replace(last)
            report(_progress(epoch, epochs))
        return last

    def export(self, checkpoint: Path, labels: tuple[str, ...], parameters: dict[str, Any], target: Path) -> None:
        onnx.save(speck_model(len(labels), blind=parameters["blind"]), target)


def _progress(epoch: int, epochs: int) -> Progress:
    return Progress(
        epoch=epoch,
        epochs=epochs,
        losses={"loss": 1.0 / epoch},
        val_map50=epoch / epochs,
        message=f"epoch {epoch} of {epochs}",
    )


def _wait(hold: str, epoch: int) -> None:
    while hold and (Path(hold) / str(epoch)).exists():
        (Path(hold) / f"{epoch}-waits").touch()
        time.sleep(0.01)


def _note(journal: str, line: str) -> None:
    if journal:
        with Path(journal).open("a") as stream:
            stream.write(line + "\n")


def speck_model(labels: int, *, blind: bool = False) -> onnx.ModelProto:
    """An ONNX model in the YOLOX layout: mean brightness of a cell is its objectness, every box is 8 x 8 pixels."""
    channels = 5 + labels
    nodes, constants, levels = [], [], []
    for stride in _STRIDES:
        bias = np.zeros(channels, np.float32)
        bias[:2] = 0.5
        bias[2:4] = np.log(8.0 / stride)
        bias[5:] = 1.0
        weight = np.zeros((channels, 3, 1, 1), np.float32)
        weight[4] = 0.0 if blind or stride != 8 else 1.0 / (3 * 255.0)
        weight[0, 0] = 1e-9  # no channel may be all noughts for the scales of INT8
        constants += [
            numpy_helper.from_array(weight, f"weight{stride}"),
            numpy_helper.from_array(bias, f"bias{stride}"),
            numpy_helper.from_array(np.array([1, channels, -1], np.int64), f"shape{stride}"),
        ]
        nodes += [
            helper.make_node(
                "AveragePool", ["images"], [f"mean{stride}"], kernel_shape=[stride] * 2, strides=[stride] * 2
            ),
            helper.make_node("Conv", [f"mean{stride}", f"weight{stride}", f"bias{stride}"], [f"level{stride}"]),
            helper.make_node("Reshape", [f"level{stride}", f"shape{stride}"], [f"flat{stride}"]),
        ]
        levels.append(f"flat{stride}")
    nodes += [
        helper.make_node("Concat", levels, ["joined"], axis=2),
        helper.make_node("Transpose", ["joined"], ["output"], perm=[0, 2, 1]),
    ]
    cells = sum((SIDE // stride) ** 2 for stride in _STRIDES)
    graph = helper.make_graph(
        nodes,
        "speck",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, cells, channels])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
