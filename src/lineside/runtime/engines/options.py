"""How an engine is to run a model: what people may set in configuration, beside the number of threads."""

from __future__ import annotations

import msgspec

CPU = "cpu"
PROVIDERS = {
    CPU: "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "qnn": "QNNExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "directml": "DmlExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
}
"""Short names of ONNX Runtime's execution providers; its own names are understood, too."""

USUAL = ("cuda", "coreml", CPU)
"""What is tried, in this order, when configuration says nothing: TensorRT compiles for minutes at a first start, and
QNN takes only some models, so both are used when they are named."""


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`spinning`: threads look on for work before they sleep. A little quicker on cores with nothing else to do; on a
    shared core it took twice the CPU time and the wall time, so it is off. `arena`: ONNX Runtime keeps memory between
    runs. `providers`: which of ONNX Runtime's execution providers to use, best first; empty: `USUAL`. What is not there
    is passed over, and the CPU comes last in any case."""

    spinning: bool = False
    arena: bool = True
    providers: tuple[str, ...] = ()


AS_USUAL = EngineOptions()


def chosen(order: tuple[str, ...], available: list[str]) -> tuple[list[str], list[str]]:
    """ONNX Runtime's names of the providers to use, in order, and those that were wanted and are not there."""
    wanted = [PROVIDERS.get(name.lower(), name) for name in order or USUAL]
    missing = [name for name in wanted if name not in available] if order else []
    there = [name for name in wanted if name in available and name != PROVIDERS[CPU]]
    named_first = wanted[: wanted.index(PROVIDERS[CPU])] if PROVIDERS[CPU] in wanted else wanted
    return [*(name for name in there if name in named_first), PROVIDERS[CPU]], missing
