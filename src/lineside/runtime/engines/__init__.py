"""Engines run a model file: one file each behind one Protocol; `ENGINES` is the table by name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.runtime.engines.options import AS_USUAL, EngineOptions

Shape = tuple[int | None, ...]

MOST_LANES = 8
"""More frames at once than this only wait for one another in the order of results."""

TWICE_AT_MOST = 64 * 1024 * 1024
"""Bytes of a file that an engine may hold twice, once for runs side by side."""


class Port(NamedTuple):
    """An input or output of a model file: its name, its shape (None is any size) and its element type."""

    name: str
    shape: Shape
    element: str  # "float32", "uint8", or the engine's own word for another type


class Engine(Protocol):
    """A loaded model file with one input."""

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What the file declares it takes."""

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What the file declares it gives."""

    @property
    def threads(self) -> int:
        """How many threads one run may use."""

    @property
    def lanes(self) -> int:
        """How many threads may call `run` at once."""

    @property
    def provider(self) -> str:
        """What carries the work out, in the engine's own word: CPUExecutionProvider, …"""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what was wanted of the engine and could not be had."""

    @property
    def any_size(self) -> bool:
        """Whether an input of another height and width costs nothing but what it is larger. Else only the largest is
        fed: what compiles a file for one size would do so again for each."""

    def run(self, tensor: NDArray[Any]) -> list[NDArray[np.float32]]:
        """One inference. Raises `model.run_failed`."""

    def aside(self) -> AbstractContextManager[None]:
        """While it is entered, runs leave cores to others, as far as the engine can."""


def _onnxruntime(data: bytes, signature: Signature, threads: int, options: EngineOptions) -> Engine:
    from lineside.runtime.engines.onnxruntime import OnnxRuntimeEngine

    largest = (signature.input_width, signature.input_height)
    return OnnxRuntimeEngine(data, threads=threads, options=options, largest=largest)


def _openvino(data: bytes, signature: Signature, threads: int, options: EngineOptions) -> Engine:
    from lineside.runtime.engines.openvino import OpenVinoEngine

    return OpenVinoEngine(data, threads=threads)  # its options are ONNX Runtime's own


ENGINES: dict[str, Callable[[bytes, Signature, int, EngineOptions], Engine]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
}


def bring(signature: Signature) -> None:
    """Imports what the signature's engine needs, as its first model would; an engine that is not there says so then."""
    if (signature.engine or "onnxruntime") == "onnxruntime":
        import onnxruntime  # noqa: F401


def engine_of(data: bytes, signature: Signature, threads: int, options: EngineOptions = AS_USUAL) -> Engine:
    """A model file in the engine its signature names. `threads` 0 means the cores this process may use.

    Raises `model.unreadable`, `model.engine_unknown`, `model.engine_missing`.
    """
    name = signature.engine or "onnxruntime"
    if name not in ENGINES:
        raise LinesideError("model.engine_unknown", engine=name, known=", ".join(sorted(ENGINES)))
    return ENGINES[name](data, signature, threads, options)
