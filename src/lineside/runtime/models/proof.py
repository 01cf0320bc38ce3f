"""A model that has shown what it can do: loaded, warmed up, and its golden set reproduced."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from lineside.contract.errors import LinesideError
from lineside.runtime.engines.options import AS_USUAL, EngineOptions
from lineside.runtime.golden import check_golden
from lineside.runtime.model import Model, load_folder
from lineside.runtime.status import GoldenState

GOLDEN_FILE = "golden.zip"


@dataclass(frozen=True, slots=True)
class Proven:
    """A model that may decide."""

    model: Model
    folder: Path
    golden: GoldenState
    seconds: float  # that it took to load and prove


def prove(folder: Path, threads: int = 0, options: EngineOptions = AS_USUAL) -> Proven:
    """Loads a model's folder, warms the model up and has it reproduce its golden set, if it brings one.

    Raises what `load_folder` raises, `golden.unreadable`, `golden.mismatched`.
    """
    started = time.monotonic()
    model = load_folder(folder, threads=threads, options=options)
    path = folder / GOLDEN_FILE
    golden = GoldenState.MATCHED if path.exists() else GoldenState.ABSENT
    if golden is GoldenState.MATCHED:
        outcome = check_golden(path, model)
        if not outcome.matched:
            raise LinesideError("golden.mismatched", image=outcome.image, difference=outcome.difference)
    return Proven(model, folder, golden, time.monotonic() - started)
