"""ONNX Runtime on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from lineside.contract.errors import LinesideError
from lineside.runtime.engines import MOST_LANES, Port
from lineside.runtime.engines.cores import usable_cores

_ERRORS_ONLY = 3
_ELEMENTS = {"tensor(float)": "float32", "tensor(uint8)": "uint8"}


class OnnxRuntimeEngine:
    """An ONNX file in an ONNX Runtime session. `threads` 0 means the cores this process may use."""

    def __init__(self, data: bytes, *, threads: int = 0) -> None:
        """Raises `model.unreadable` when ONNX Runtime does not take the file."""
        self.threads = threads or usable_cores()
        self.lanes = min(self.threads, MOST_LANES)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        # Threads that wait in a loop for the next run take a core from decoding, and from everything else on a device.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = _ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors share no base class of their own
            raise LinesideError("model.unreadable", why=_first_line(error)) from error
        self.inputs = tuple(_port(each) for each in self._session.get_inputs())
        self.outputs = tuple(_port(each) for each in self._session.get_outputs())
        self._input = self.inputs[0].name if self.inputs else ""
        self._output_names = [port.name for port in self.outputs]

    def run(self, tensor: NDArray[Any]) -> list[NDArray[np.float32]]:
        """One inference. Raises `model.run_failed`."""
        try:
            outputs: list[NDArray[np.float32]] = self._session.run(self._output_names, {self._input: tensor})
        except Exception as error:  # ONNX Runtime's errors share no base class of their own
            raise LinesideError("model.run_failed", why=_first_line(error)) from error
        return outputs


def _port(node: Any) -> Port:
    shape = tuple(size if isinstance(size, int) and size > 0 else None for size in node.shape)
    return Port(node.name, shape, _ELEMENTS.get(node.type, node.type))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
