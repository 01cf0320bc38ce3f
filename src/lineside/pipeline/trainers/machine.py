"""What a training runs on, and how it is made to end the same each time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch

from lineside.pipeline.trainers.settings import invalid

_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"  # CUDA's matrix products repeat themselves only with this set


def device_of(wanted: str) -> torch.device:
    """The CPU, or the first GPU that torch sees; error: training.parameter_invalid where there is none."""
    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise invalid("device", wanted, "torch sees no GPU here")
    return torch.device("cuda" if there and wanted != "cpu" else "cpu")


@contextlib.contextmanager
def repeatable(seed: int, threads: int, device: torch.device) -> Iterator[None]:
    """The same weights for the same seed and number of threads on a CPU; a GPU only warns where it cannot promise
    that. Torch's settings are put back afterwards."""
    on_gpu = device.type == "cuda"
    if on_gpu:
        os.environ.setdefault(_WORKSPACE, ":4096:8")
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    with torch.random.fork_rng():
        try:
            torch.manual_seed(seed)
            torch.set_num_threads(threads if threads > 0 else before[0])
            torch.use_deterministic_algorithms(True, warn_only=on_gpu)
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.use_deterministic_algorithms(before[1], warn_only=before[2])
