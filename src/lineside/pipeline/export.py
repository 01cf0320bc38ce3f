"""torch to ONNX: one picture at a time, a fixed operator set, simplified, and proven equal to the network at each size
that it is to take."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import onnxslim
import torch
from torch import nn

from lineside.contract.errors import LinesideError
from lineside.pipeline.files import write_whole

OPSET = 17
INPUT, OUTPUT = "images", "output"
_OPEN = {INPUT: {2: "height", 3: "width"}, OUTPUT: {1: "cells"}}
_LIMIT = 1e-4  # largest difference from the network, relative to the largest value of a row where that is over 1
_SEED = 0


def export_onnx(
    net: nn.Module, shapes: Sequence[tuple[int, int, int, int]], target: Path, notes: Mapping[str, str] | None = None
) -> None:
    """Write `net` (in eval mode) as ONNX: input `images` of that shape, or with several shapes [1, C, height, width] of
    open height and width; output `output`; with `notes` as its metadata. Error: export.differs."""
    torch_inputs = [torch.rand(shape, generator=torch.Generator().manual_seed(_SEED)) for shape in shapes]
    part = target.with_name(f"{target.name}.part")
    with warnings.catch_warnings():
        # torch 2.9 and later announce the older exporter's end; it is the one that needs no tracing compiler
        warnings.filterwarnings("ignore", "You are using the legacy TorchScript-based ONNX export", DeprecationWarning)
        warnings.filterwarnings("ignore", "The feature will be removed", DeprecationWarning)
        torch.onnx.export(
            net,
            (torch_inputs[0],),
            part,
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=OPSET,
            dynamic_axes=_OPEN if len(shapes) > 1 else None,
            dynamo=False,
        )
    model = onnxslim.slim(onnx.load(part))
    onnx.helper.set_model_props(model, dict(notes or {}))
    data: bytes = model.SerializeToString()
    part.unlink()
    _compare(net, data, torch_inputs)
    write_whole(target, data)


def _compare(net: nn.Module, data: bytes, torch_inputs: Sequence[torch.Tensor]) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    for torch_input in torch_inputs:
        (actual,) = session.run([OUTPUT], {INPUT: torch_input.numpy()})
        with torch.inference_mode():
            expected = net(torch_input).numpy()
        sizes = np.maximum(1.0, np.abs(expected).max(axis=-1, keepdims=True))
        difference = float((np.abs(actual - expected) / sizes).max())
        if not difference <= _LIMIT:
            raise LinesideError("export.differs", difference=f"{difference:.2g}", limit=_LIMIT)
