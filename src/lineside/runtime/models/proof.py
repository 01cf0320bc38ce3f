"""A model that has shown what it can do: loaded, warmed up, and its golden set reproduced."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lineside.contract.errors import LinesideError
from lineside.runtime.engines.options import AS_USUAL, EngineOptions
from lineside.runtime.golden import GoldenOutcome, check_golden
from lineside.runtime.model import Model, load_folder
from lineside.runtime.models.niceness import wait_behind_others
from lineside.runtime.status import GoldenState

GOLDEN_FILE = "golden.zip"


@dataclass(frozen=True, slots=True)
class Proven:
    """A model that may decide."""

    model: Model
    folder: Path
    golden: GoldenState
    seconds: float  # that it took to load and prove


def prove(folder: Path, threads: int = 0, options: EngineOptions = AS_USUAL, *, aside: bool = False) -> Proven:
    """Loads a model's folder, warms the model up and has it reproduce its golden set, if it brings one. `aside`: others
    decide meanwhile, and shall hardly notice.

    Raises what `load_folder` raises, `golden.unreadable`, `golden.mismatched`.
    """
    started = time.monotonic()
    model = load_folder(folder, threads=threads, options=options)
    path = folder / GOLDEN_FILE
    if not path.exists():
        return Proven(model, folder, GoldenState.ABSENT, time.monotonic() - started)
    outcome = _politely(path, model) if aside else check_golden(path, model)
    if not outcome.matched:
        raise LinesideError("golden.mismatched", image=outcome.image, difference=outcome.difference)
    return Proven(model, folder, GoldenState.MATCHED, time.monotonic() - started)


def _politely(path: Path, model: Model) -> GoldenOutcome:
    """`check_golden` on one core, in a thread that waits behind those that decide. (A thread cannot take its niceness
    back, and those that a session starts inherit it: only what ends with this may run in it.)"""

    def check() -> GoldenOutcome:
        wait_behind_others()
        with model.aside():
            return check_golden(path, model)

    with ThreadPoolExecutor(1, thread_name_prefix="golden") as alone:
        return alone.submit(check).result()
