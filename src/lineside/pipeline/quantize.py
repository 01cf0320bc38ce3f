"""Static INT8: an ONNX file to one with quantized convolutions (QDQ, per channel), its decode tail left in float."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from lineside.contract.errors import LinesideError
from lineside.pipeline.files import write_whole
from lineside.pipeline.optimize.graphs import name_nodes, prepared, telling

Tensor = NDArray[Any]
"""What a file is fed: float32 [1, C, H, W], or pixels uint8 [1, H, W, C]."""


def quantize(fp32: Path, int8: Path, tensors: Iterable[Tensor]) -> None:
    """Write `int8`, all layers quantized. See `Quantizer`."""
    with tempfile.TemporaryDirectory(dir=int8.parent) as folder:
        write_whole(int8, Quantizer(fp32, tensors, Path(folder)).quantized())


class Quantizer:
    """One fp32 file, its ranges measured once, to be quantized again and again: all of it, but for some layers, or
    only some layers.

    What comes after the last convolutions, and those themselves, stays in float: boxes and scores need the precision,
    and it is little work. Weights have 7 bits: processors without VNNI would overflow with 8, and answer otherwise
    than the one that measured.
    """

    def __init__(self, fp32: Path, tensors: Iterable[Tensor], folder: Path) -> None:
        """Calibrate on input tensors, made as a device makes them; `folder` is for its own files.

        Errors: quantize.no_tensors, quantize.failed.
        """
        self.tensors = [np.array(tensor) for tensor in tensors]
        if not self.tensors:
            raise LinesideError("quantize.no_tensors")
        self._file, self._folder = fp32.name, folder
        self._ready = folder / "ready.onnx"
        with telling(self._file), _quiet():
            onnx.save(prepared(fp32), folder / "prepared.onnx")
            quant_pre_process(folder / "prepared.onnx", self._ready, skip_symbolic_shape=True)
            model = onnx.load(self._ready)
            name_nodes(model)
            onnx.save(model, self._ready)
        graph = model.graph
        self._input: str = graph.input[0].name
        self._tail = tail(graph)
        self.layers = layers(graph, self._tail)

    @property
    def fp32(self) -> Path:
        """The simplified fp32 file that is quantized."""
        return self._ready

    def quantized(self, but: Collection[str] = (), only: Collection[str] = ()) -> bytes:
        """The INT8 file; layers in `but` stay in float; with `only`, all others do. Layers go by their convolution."""
        made = self._folder / "made.onnx"
        with telling(self._file), _quiet():
            quantize_static(
                self._ready,
                made,
                _Reader(self._input, self.tensors),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                nodes_to_quantize=[node for layer in only for node in self.layers[layer]],
                nodes_to_exclude=[*self._tail, *(node for layer in but for node in self.layers[layer])],
                extra_options={"CalibMovingAverage": True},  # one odd picture does not stretch the range
                calibration_cache_path=self._folder / "ranges.json",
            )
        return made.read_bytes()


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime ships no types
    def __init__(self, name: str, tensors: list[Tensor]) -> None:
        self._feeds: Iterator[dict[str, Tensor]] = iter([{name: tensor} for tensor in tensors])

    def get_next(self) -> dict[str, Tensor] | None:
        return next(self._feeds, None)


def tail(graph: Any) -> list[str]:
    """Names of the last convolutions and all that comes after them: nodes with no other convolution behind them."""
    behind: dict[str, bool] = {}  # tensor -> a convolution reads it, now or later
    names = []
    for node in reversed(graph.node):  # nodes are in topological order
        before_another = any(behind.get(output, False) for output in node.output)
        if not before_another:
            names.append(node.name)
        for name in node.input:
            behind[name] = behind.get(name, False) or before_another or node.op_type == "Conv"
    return names


def layers(graph: Any, without: Collection[str]) -> dict[str, list[str]]:
    """Nodes by layer: a convolution, and what follows it before the next one; `without` names nodes of no layer.

    A node with several inputs (a sum, a concatenation) belongs to the convolution that comes last before it.
    """
    number = {node.name: place for place, node in enumerate(graph.node)}
    made: dict[str, str] = {}  # tensor -> its layer
    found: dict[str, list[str]] = {}
    for node in graph.node:
        before = [made[name] for name in node.input if name in made]
        layer = node.name if node.op_type == "Conv" else max(before, key=lambda name: number[name], default="")
        if not layer:
            continue
        made.update((output, layer) for output in node.output)
        if node.name not in without:
            found.setdefault(layer, []).append(node.name)
    return {layer: nodes for layer, nodes in found.items() if layer not in without}


@contextmanager
def _quiet() -> Iterator[None]:
    """onnxruntime logs advice on every call, for which there is nobody here."""
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
