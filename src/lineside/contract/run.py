"""Runs: one execution of the pipeline, step by step."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from lineside.contract.errors import ErrorReport
from lineside.contract.gate import CostRule, GateSpec
from lineside.contract.model import GateResult
from lineside.contract.own_step import OwnStep

TRAIN_STEPS = ("collect", "split", "train", "evaluate", "optimize", "register")
IMPORT_STEPS = ("collect", "check", "evaluate", "optimize", "register")
EVALUATE_STEPS = ("collect", "score")
FROM_SCRATCH = frozenset({"ultralytics"})
"""Trainers that take no starting weights: their files of weights hold code."""


class RunState(enum.Enum):
    """Where a run stands."""

    QUEUED = "queued"  # waits for a worker
    RUNNING = "running"  # a worker has it
    SUCCEEDED = "succeeded"  # registered, all BLOCK gates passed
    GATED = "rejected_by_gate"  # registered as gated out; exit code 3
    FAILED = "failed"  # a step gave up
    CANCELLED = "cancelled"  # a person stopped it


RUN_MOVES: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.CANCELLED}),
    RunState.RUNNING: frozenset({RunState.SUCCEEDED, RunState.GATED, RunState.FAILED, RunState.CANCELLED}),
    RunState.SUCCEEDED: frozenset(),
    RunState.GATED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.CANCELLED: frozenset(),
}


class StepState(enum.Enum):
    """Where a step stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CACHED = "cached"  # the same code, inputs and parameters were done before
    FAILED = "failed"
    SKIPPED = "skipped"


KINDS = {"train": "training", "import": "import", "evaluate": "evaluation", "steps": "own steps"}
"""What each kind of run is called."""


class RunRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to run. `kind` "train" needs `dataset`; "import" needs `init` (the model file), `head` and `labels`;
    "evaluate" needs `dataset` and, among its parameters, the `version` of the model and the `split` to score."""

    kind: str = "train"
    model: str  # name the model version is registered under
    dataset: str | None = None
    trainer: str = "compact"
    init: str | None = None  # digest of starting weights
    parameters: dict[str, Any] = {}
    seed: int = 0
    queue: str = "default"  # only workers of this queue take it
    gates: tuple[GateSpec, ...] = ()  # beside the built-in ones, or in the place of one of the same rule
    targets: tuple[str, ...] = ()  # twin profiles the model must fit
    cost: CostRule | None = None  # None: the trainer's own threshold
    field: str | None = None  # dataset version with a field set that candidate and champion are scored on, too
    steps: tuple[OwnStep, ...] = ()  # people's own, beside the built-in ones
    from_step: str | None = None  # this step and those after it are done again, whatever is remembered
    loop: str | None = None  # the loop that started it


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step as it is shown; `progress` 0..1; `outputs` are digests of blobs and small values by name."""

    name: str
    needs: tuple[str, ...] = ()  # the steps it comes after
    state: StepState = StepState.WAITING
    progress: float = 0.0
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    error: ErrorReport | None = None
    outputs: dict[str, Any] = {}


class CurvePoint(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a training curve: `series` (loss, val_map50, ...) at `epoch`."""

    series: str
    epoch: int
    value: float


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run as the control plane knows it."""

    id: str
    state: RunState
    request: RunRequest
    steps: tuple[Step, ...]
    gates: tuple[GateResult, ...] = ()
    model_version: int | None = None
    created_at: str
    finished_at: str | None = None
    error: ErrorReport | None = None
    by: str = ""  # who started it
    worker: str | None = None  # who has it, or had it last
    attempt: int = 0  # how often a worker took it


class RunPage(msgspec.Struct, frozen=True, kw_only=True):
    """Runs, newest first. `next` is what `before` of the page after this one has to be."""

    runs: tuple[Run, ...]
    total: int  # of all pages
    next: int | None = None


class StepReport(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's word on one step; the newest replaces the one before. `curve` points are added, once each."""

    step: Step
    curve: tuple[CurvePoint, ...] = ()


class RunFinish(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's last word on a run."""

    state: RunState
    gates: tuple[GateResult, ...] = ()
    model_version: int | None = None
    error: ErrorReport | None = None


class CachedStep(msgspec.Struct, frozen=True, kw_only=True):
    """Outputs of a step that was done before, by the key of its code, inputs and parameters."""

    key: str
    outputs: dict[str, Any]
    run: str
