"""Rules of runs: which kinds there are, what each needs, which steps it has."""

from __future__ import annotations

from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_digest
from lineside.contract.model import check_model_name
from lineside.contract.run import IMPORT_STEPS, TRAIN_STEPS, RunRequest

STEPS: dict[str, tuple[str, ...]] = {"train": TRAIN_STEPS, "import": IMPORT_STEPS}
"""The steps of each kind of run, in order."""


def check_request(request: RunRequest) -> tuple[str, ...]:
    """The steps of a run that makes sense.

    Raises `run.kind_unknown`, `run.request_incomplete`, `request.invalid`, `model.name_too_long`.
    """
    if request.kind not in STEPS:
        raise LinesideError("run.kind_unknown", kind=request.kind, known=", ".join(STEPS))
    check_model_name(request.model)
    if request.kind == "train" and request.dataset is None:
        raise LinesideError("run.request_incomplete", kind=request.kind, what="a dataset")
    if request.kind == "import":
        _check_import(request)
    if request.init is not None and not is_digest(request.init):
        raise LinesideError("request.invalid", why=f"{request.init!r} is not a digest")
    return STEPS[request.kind]


def _check_import(request: RunRequest) -> None:
    needed = {"init": request.init, "head": request.parameters.get("head"), "labels": request.parameters.get("labels")}
    for what, given in needed.items():
        if not given:
            raise LinesideError("run.request_incomplete", kind=request.kind, what=what)
