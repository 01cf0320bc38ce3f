"""OpenVINO on the CPU: an extra (`pip install lineside[openvino]`), for Intel and compatible processors."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineside.contract.errors import LinesideError
from lineside.runtime.engines import Port
from lineside.runtime.engines.cores import usable_cores

_ELEMENTS = {"f32": "float32", "u8": "uint8"}


class OpenVinoEngine:
    """An ONNX file compiled by OpenVINO. `threads` 0 means the cores this process may use."""

    def __init__(self, data: bytes, *, threads: int = 0) -> None:
        """Raises `model.engine_missing` without the package, `model.unreadable` when OpenVINO refuses the file."""
        openvino = _package()
        self.threads = threads or usable_cores()
        self.lanes = 1  # it has one request, whose tensors are used again and again
        wanted = {
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32",  # what is not INT8 stays exact, also where bfloat16 would be quicker
        }
        try:
            core = openvino.Core()
            compiled = core.compile_model(core.read_model(data, b""), "CPU", wanted)
        except Exception as error:  # OpenVINO's errors share no base class of their own
            raise LinesideError("model.unreadable", why=_first_line(error)) from error
        self.inputs = tuple(_port(each) for each in compiled.inputs)
        self.outputs = tuple(_port(each) for each in compiled.outputs)
        self.provider = "CPU"
        self.notes: tuple[str, ...] = ()
        self._request = compiled.create_infer_request()

    def run(self, tensor: NDArray[Any]) -> list[NDArray[np.float32]]:
        """One inference. Raises `model.run_failed`."""
        try:
            self._request.infer([tensor], share_inputs=True)
            return [np.array(self._request.get_output_tensor(number).data) for number in range(len(self.outputs))]
        except Exception as error:  # OpenVINO's errors share no base class of their own
            raise LinesideError("model.run_failed", why=_first_line(error)) from error

    def aside(self) -> AbstractContextManager[None]:
        """Nothing: its one request has the threads it has."""
        return nullcontext()


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
