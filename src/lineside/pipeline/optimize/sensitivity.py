"""Which layers INT8 hurts most: each is quantized alone, and the answers are held against those of fp32."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineside.pipeline.quantize import Quantizer
from lineside.runtime.engines.onnxruntime import OnnxRuntimeEngine

_PICTURES = 4  # to measure a layer on: this is done once a layer
_SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Of the layers, the most sensitive first, that are kept in float, rung by rung: with more, INT8 is not worth it."""

Answers = list[list[NDArray[np.float32]]]
"""Outputs by picture."""


def by_sensitivity(quantizer: Quantizer) -> list[tuple[str, float]]:
    """Layers with their errors, the largest first; see `error`."""
    expected = _answers(quantizer, quantizer.fp32.read_bytes())
    measured = [
        (layer, error(expected, _answers(quantizer, quantizer.quantized(only=[layer])))) for layer in quantizer.layers
    ]
    return sorted(measured, key=lambda one: -one[1])


def rungs(quantizer: Quantizer) -> Iterator[list[str]]:
    """Layers to keep in float, more and more of them, greedily by sensitivity."""
    ordered = [layer for layer, _ in by_sensitivity(quantizer)]
    counts = sorted({max(1, round(len(ordered) * share)) for share in _SHARES})
    return (ordered[:count] for count in counts)


def error(expected: Answers, answered: Answers) -> float:
    """How far answers are off: root mean square a column (a coordinate, a class) of each output, as a share of that
    column's spread, and of those the largest. Scores, which are mostly next to nothing, count as much as boxes."""
    found = 0.0
    for place in range(len(expected[0])):
        before = np.concatenate([_columns(one[place]) for one in expected])
        after = np.concatenate([_columns(one[place]) for one in answered])
        off = np.sqrt(np.mean(np.square(after - before), axis=0))
        found = max(found, float((off / (before.std(axis=0) + 1e-6)).max()))
    return found


def _columns(output: NDArray[np.float32]) -> NDArray[Any]:
    """An output as rows of columns: of its last two axes, the shorter one has the columns."""
    table = np.asarray(output, np.float64).reshape(-1, *output.shape[-2:]) if output.ndim > 2 else output[None]
    if table.shape[1] < table.shape[2]:
        table = table.transpose(0, 2, 1)
    return table.reshape(-1, table.shape[2])


def _answers(quantizer: Quantizer, model: bytes) -> Answers:
    engine = OnnxRuntimeEngine(model, threads=1)
    return [engine.run(tensor) for tensor in quantizer.tensors[:_PICTURES]]
