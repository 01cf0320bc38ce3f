"""Parameters of a run: what the pipeline itself takes, and the rest, which is the trainer's."""

from __future__ import annotations

from typing import Any

import msgspec

from lineside.contract.run import RunRequest
from lineside.pipeline.trainers.base import complete


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the pipeline judges by; each may be given among a run's parameters under this name."""

    min_map: float = 0.40  # mAP50-95 on the test split a model must reach
    min_test_images: int = 5  # fewer say nothing about a model
    max_int8_drop: float = 0.02  # mAP50-95 on the val split a smaller variant than fp32 may lose
    openvino: bool = False  # devices have the extra `openvino`: an INT8 variant of its own may ship


def limits_of(request: RunRequest) -> Limits:
    """The limits a run asked for; errors: training.parameter_invalid."""
    own = {name: value for name, value in request.parameters.items() if name in Limits.__struct_fields__}
    return msgspec.convert(complete(msgspec.to_builtins(Limits()), own), Limits)


def trainer_parameters(request: RunRequest) -> dict[str, Any]:
    """What a run asked of its trainer; the trainer itself refuses what it doesn't know."""
    return {name: value for name, value in request.parameters.items() if name not in Limits.__struct_fields__}
