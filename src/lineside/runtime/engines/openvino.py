"""OpenVINO on the CPU: an extra (`pip install lineside[openvino]`), for Intel and compatible processors."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineside.contract.errors import LinesideError
from lineside.runtime.engines import MOST_LANES, TWICE_AT_MOST, Port
from lineside.runtime.engines.cores import usable_cores
from lineside.runtime.engines.sharing import WideOrNarrow

_ELEMENTS = {"f32": "float32", "u8": "uint8"}


class OpenVinoEngine:
    """An ONNX file compiled by OpenVINO. `threads` 0 means the cores this process may use.

    As with ONNX Runtime, an image that comes alone gets all threads, and images side by side get one each; for that a
    file of at most 64 MB is compiled twice.
    """

    def __init__(self, data: bytes, *, threads: int = 0) -> None:
        """Raises `model.engine_missing` without the package, `model.unreadable` when OpenVINO refuses the file."""
        openvino = _package()
        self.threads = threads or usable_cores()
        self.lanes = min(self.threads, MOST_LANES) if len(data) <= TWICE_AT_MOST else 1
        try:
            core = openvino.Core()
            model = core.read_model(data, b"")
            compiled = core.compile_model(model, "CPU", _wanted(self.threads, 1))
            wide = _Requests(compiled, 1)
            narrow = wide
            if self.lanes > 1:
                narrow = _Requests(core.compile_model(model, "CPU", _wanted(self.lanes, self.lanes)), self.lanes)
        except Exception as error:  # OpenVINO's errors share no base class of their own
            raise LinesideError("model.unreadable", why=_first_line(error)) from error
        self.inputs = tuple(_port(each) for each in compiled.inputs)
        self.outputs = tuple(_port(each) for each in compiled.outputs)
        self.provider = "CPU"
        self.notes: tuple[str, ...] = ()
        self.any_size = True
        self._requests = WideOrNarrow(wide, narrow)

    def run(self, tensor: NDArray[Any]) -> list[NDArray[np.float32]]:
        """One inference. Raises `model.run_failed`."""
        try:
            with self._requests.taken() as requests, requests.one() as request:
                request.infer([tensor], share_inputs=True)
                return [np.array(request.get_output_tensor(number).data) for number in range(len(self.outputs))]
        except Exception as error:  # OpenVINO's errors share no base class of their own
            raise LinesideError("model.run_failed", why=_first_line(error)) from error

    def aside(self) -> AbstractContextManager[None]:
        """See `Engine.aside`."""
        return self._requests.aside()


class _Requests:
    """Requests of a compiled model, whose tensors are used again and again, each by one thread at a time."""

    def __init__(self, compiled: Any, count: int) -> None:
        self._free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(count):
            self._free.put(compiled.create_infer_request())

    @contextmanager
    def one(self) -> Iterator[Any]:
        """A request that nobody uses, as soon as there is one."""
        request = self._free.get()
        try:
            yield request
        finally:
            self._free.put(request)


def _wanted(threads: int, streams: int) -> dict[str, Any]:
    return {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": streams,
        "INFERENCE_PRECISION_HINT": "f32",  # what is not INT8 stays exact, also where bfloat16 would be quicker
    }


def _package() -> Any:
    """OpenVINO without `openvino_telemetry`, which reports every import to its makers; it can do without it."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: importing it fails
    try:
        import openvino
    except ImportError as error:
        raise LinesideError("model.engine_missing", engine="openvino", why=error) from error
    return openvino


def _port(node: Any) -> Port:
    sizes = node.get_partial_shape()
    shape = tuple(size.get_length() if size.is_static else None for size in sizes)
    element = node.get_element_type().get_type_name()
    return Port(node.get_any_name(), shape, _ELEMENTS.get(element, element))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
