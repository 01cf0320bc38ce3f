"""Rules of runs: which kinds there are, what each needs, which steps it has."""

from __future__ import annotations

from lineside.contract.errors import LinesideError
from lineside.contract.gate import check_gates
from lineside.contract.ids import is_digest, is_name
from lineside.contract.model import check_model_name
from lineside.contract.own_step import files_of
from lineside.contract.run import FROM_SCRATCH, RunRequest, RunState, Step
from lineside.contract.run_order import BUILT_IN, arrange
from lineside.contract.twin import PROFILES


def check_request(request: RunRequest) -> tuple[Step, ...]:
    """The steps of a run that makes sense, in order.

    Raises `run.kind_unknown`, `run.request_incomplete`, `run.step_invalid`, `request.invalid`, `model.name_too_long`,
    `training.init_refused`, and what `check_gates` does.
    """
    if request.kind not in BUILT_IN:
        raise LinesideError("run.kind_unknown", kind=request.kind, known=", ".join(BUILT_IN))
    check_model_name(request.model)
    if not is_name(request.queue):
        raise LinesideError("request.invalid", why=f"{request.queue[:80]!r} is no name of a queue")
    if request.kind in ("train", "evaluate") and request.dataset is None:
        raise LinesideError("run.request_incomplete", kind=request.kind, what="a dataset")
    if request.kind == "import":
        _check_import(request)
    if request.kind == "evaluate" and not isinstance(request.parameters.get("version"), int):
        raise LinesideError("run.request_incomplete", kind=request.kind, what="the version of a model")
    check_gates(request.gates, request.targets, PROFILES, request.cost, field=request.field is not None)
    if request.init is not None and not is_digest(request.init):
        raise LinesideError("request.invalid", why=f"{request.init!r} is not a digest")
    if request.kind == "train" and request.init is not None and request.trainer in FROM_SCRATCH:
        raise LinesideError("training.init_refused", name=request.trainer)
    steps = arrange(request.kind, request.steps)
    if request.from_step is not None and request.from_step not in [step.name for step in steps]:
        raise LinesideError("request.not_found", what="step", name=request.from_step)
    return steps


def read_states(text: str) -> tuple[RunState, ...]:
    """States with commas between; none of an empty text. Raises `request.invalid`."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    known = {state.value: state for state in RunState}
    for word in words:
        if word not in known:
            raise LinesideError("request.invalid", why=f"{word[:80]!r} is no state of runs ({', '.join(known)})")
    return tuple(known[word] for word in words)


def blobs_of(request: RunRequest) -> list[str]:
    """The digests of the blobs that a run needs to be there."""
    own = (digest for step in request.steps for digest in (*files_of(step).values(), *step.inputs.values()))
    return [digest for digest in (request.init, *own) if digest is not None and is_digest(digest)]


def _check_import(request: RunRequest) -> None:
    needed = {"init": request.init, "head": request.parameters.get("head"), "labels": request.parameters.get("labels")}
    for what, given in needed.items():
        if not given:
            raise LinesideError("run.request_incomplete", kind=request.kind, what=what)
    if request.cost is not None and request.dataset is None:
        what = "a dataset, with val pictures to choose the threshold on by what a miss costs"
        raise LinesideError("run.request_incomplete", kind=request.kind, what=what)
