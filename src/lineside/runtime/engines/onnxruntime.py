"""ONNX Runtime: on the CPU, or with the execution provider that people name and that is there."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from lineside.contract.errors import LinesideError
from lineside.runtime.engines import MOST_LANES, TWICE_AT_MOST, Port
from lineside.runtime.engines.cores import usable_cores
from lineside.runtime.engines.options import AS_USUAL, CPU, PROVIDERS, EngineOptions, chosen
from lineside.runtime.engines.sharing import WideOrNarrow

_ERRORS_ONLY, _NOTHING_BUT_FATAL = 3, 4
_ELEMENTS = {"tensor(float)": "float32", "tensor(uint8)": "uint8"}
_ONLY_CPU = [PROVIDERS[CPU]]
_ANY_SIZE = (PROVIDERS[CPU], PROVIDERS["cuda"])


class OnnxRuntimeEngine:
    """An ONNX file in ONNX Runtime sessions. `threads` 0 means the cores this process may use.

    On the CPU, an image that comes alone gets all threads, so that it is decided soon. Images side by side get one
    each, which is the most that the cores can do: nothing waits for another thread's share. For that a file of at most
    64 MB is held twice.
    """

    def __init__(
        self,
        data: bytes,
        *,
        threads: int = 0,
        options: EngineOptions = AS_USUAL,
        largest: tuple[int, int] | None = None,
    ) -> None:
        """Raises `model.unreadable` when ONNX Runtime does not take the file. A provider that is not there, or that
        fails, is passed over with a word in `notes`; the CPU takes whatever no other does. `largest`: width and height
        of the input, which dimensions of the names `width` and `height` are fixed to for a provider that compiles the
        file for one size."""
        self._largest = largest
        self.threads = threads or usable_cores()
        self.lanes = min(self.threads, MOST_LANES)
        providers, missing = chosen(options.providers, onnxruntime.get_available_providers())
        notes = [f"{name} is not in this ONNX Runtime" for name in missing]
        try:
            session = self._opened(data, options, providers)
        except Exception as error:  # ONNX Runtime's errors share no base class of their own
            if providers == _ONLY_CPU:
                raise LinesideError("model.unreadable", why=_first_line(error)) from error
            notes.append(f"{providers[0]} failed: {_first_line(error)}")
            session = self._on_cpu(data, options)
        self.provider: str = session.get_providers()[0]
        if not notes and self.provider != providers[0]:
            notes.append(f"{providers[0]} could not be used")
        self.notes = tuple(notes)
        self.any_size = self.provider in _ANY_SIZE
        twice = self.lanes > 1 and len(data) <= TWICE_AT_MOST and session.get_providers() == _ONLY_CPU
        self._sessions = WideOrNarrow(session, self._on_cpu(data, options, threads=1) if twice else session)
        self.inputs = tuple(_port(each) for each in session.get_inputs())
        self.outputs = tuple(_port(each) for each in session.get_outputs())
        self._input = self.inputs[0].name if self.inputs else ""
        self._output_names = [port.name for port in self.outputs]

    def run(self, tensor: NDArray[Any]) -> list[NDArray[np.float32]]:
        """One inference. Raises `model.run_failed`."""
        try:
            with self._sessions.taken() as session:
                outputs: list[NDArray[np.float32]] = session.run(self._output_names, {self._input: tensor})
        except Exception as error:  # ONNX Runtime's errors share no base class of their own
            raise LinesideError("model.run_failed", why=_first_line(error)) from error
        return outputs

    def aside(self) -> AbstractContextManager[None]:
        """See `Engine.aside`."""
        return self._sessions.aside()

    def _on_cpu(self, data: bytes, options: EngineOptions, threads: int = 0) -> Any:
        try:
            return self._opened(data, options, _ONLY_CPU, threads)
        except Exception as error:  # ONNX Runtime's errors share no base class of their own
            raise LinesideError("model.unreadable", why=_first_line(error)) from error

    def _opened(self, data: bytes, options: EngineOptions, providers: list[str], threads: int = 0) -> Any:
        wanted = onnxruntime.SessionOptions()
        wanted.intra_op_num_threads = threads or self.threads
        wanted.inter_op_num_threads = 1
        wanted.log_severity_level = _ERRORS_ONLY if providers == _ONLY_CPU else _NOTHING_BUT_FATAL
        wanted.enable_cpu_mem_arena = options.arena
        wanted.enable_mem_pattern = not threads  # runs side by side would each get a block for the whole network
        # Threads that wait in a loop for the next run take a core from decoding, and from everything else on a device.
        wanted.add_session_config_entry("session.intra_op.allow_spinning", "1" if options.spinning else "0")
        if self._largest and providers[0] not in _ANY_SIZE:
            for name, size in zip(("width", "height"), self._largest, strict=True):
                wanted.add_free_dimension_override_by_name(name, size)
        return onnxruntime.InferenceSession(data, wanted, providers=providers)


def _port(node: Any) -> Port:
    shape = tuple(size if isinstance(size, int) and size > 0 else None for size in node.shape)
    return Port(node.name, shape, _ELEMENTS.get(node.type, node.type))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
