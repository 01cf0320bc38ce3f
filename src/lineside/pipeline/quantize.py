"""Static INT8: an ONNX file to one with quantized convolutions (QDQ, per channel), its decode tail left in float."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from lineside.contract.errors import LinesideError
from lineside.pipeline.files import write_whole

Tensor = NDArray[np.float32]


def quantize(fp32: Path, int8: Path, tensors: Iterable[Tensor], head: str) -> None:
    """Write `int8`, calibrated on input tensors float32 [1, C, H, W] (made as a device makes them).

    What comes after the last convolutions, and those themselves, stays in float: boxes and scores need the precision,
    and it is little work. Errors: quantize.no_tensors, quantize.failed.
    """
    calibration = [np.array(tensor, np.float32) for tensor in tensors]
    if not calibration:
        raise LinesideError("quantize.no_tensors")
    with tempfile.TemporaryDirectory(dir=int8.parent) as folder, _quiet():
        ready, made = Path(folder) / "ready.onnx", Path(folder) / "int8.onnx"
        try:
            quant_pre_process(fp32, ready, skip_symbolic_shape=True)
            _quantize(ready, made, calibration)
        except (DecodeError, OSError, RuntimeError, ValueError) as error:
            raise LinesideError("quantize.failed", file=fp32.name, why=str(error).splitlines()[0]) from error
        write_whole(int8, made.read_bytes())


def _quantize(ready: Path, made: Path, calibration: list[Tensor]) -> None:
    graph = onnx.load(ready).graph
    quantize_static(
        ready,
        made,
        _Reader(graph.input[0].name, calibration),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
        nodes_to_exclude=tail(graph),
        extra_options={"CalibMovingAverage": True},  # one odd picture does not stretch the range
    )


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
