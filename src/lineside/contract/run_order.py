"""The order of a run's steps: the built-in ones as they are, and people's own as soon as what they need is done."""

from __future__ import annotations

from collections.abc import Sequence

from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_digest, is_name
from lineside.contract.own_step import MOST_FILES, MOST_STEPS, OwnStep, files_of
from lineside.contract.run import EVALUATE_STEPS, IMPORT_STEPS, TRAIN_STEPS, Step

BUILT_IN: dict[str, tuple[str, ...]] = {
    "train": TRAIN_STEPS,
    "import": IMPORT_STEPS,
    "evaluate": EVALUATE_STEPS,
    "steps": (),
}
"""The steps of each kind of run, in order; runs of the kind `steps` have people's own alone."""


def arrange(kind: str, own: Sequence[OwnStep] = ()) -> tuple[Step, ...]:
    """All steps of a run, waiting, each after those it needs. Raises `run.kind_unknown`, `run.step_invalid`."""
    if kind not in BUILT_IN:
        raise LinesideError("run.kind_unknown", kind=kind, known=", ".join(BUILT_IN))
    _check(kind, own)
    built_in = list(BUILT_IN[kind])
    waiting = list(own)
    placed: list[Step] = []
    done: set[str] = set()
    while built_in or waiting:
        ready = next((step for step in waiting if set(needs_of(step)) <= done), None)
        if ready is not None:
            waiting.remove(ready)
            step = Step(name=ready.name, needs=needs_of(ready))
        elif built_in:
            name = built_in.pop(0)
            at = BUILT_IN[kind].index(name)
            step = Step(name=name, needs=BUILT_IN[kind][at - 1 : at] if at else ())
        else:
            raise LinesideError("run.step_invalid", step=waiting[0].name, why="what it needs can never be done")
        placed.append(step)
        done.add(step.name)
    return tuple(placed)


def needs_of(step: OwnStep) -> tuple[str, ...]:
    """What a step comes after: what it names, and what its inputs are taken from."""
    sources = (value.partition(".")[0] for value in step.inputs.values() if not is_digest(value))
    return tuple(dict.fromkeys((*step.needs, *sources)))


def _check(kind: str, own: Sequence[OwnStep]) -> None:
    if kind == "steps" and not own:
        raise LinesideError("run.request_incomplete", kind=kind, what="steps")
    if len(own) > MOST_STEPS:
        raise LinesideError("run.step_invalid", step=own[MOST_STEPS].name, why=f"a run has {MOST_STEPS} at most")
    known = {*BUILT_IN[kind], *(step.name for step in own)}
    taken = {name for names in BUILT_IN.values() for name in names}
    for step in own:
        why = _wrong(step, known, taken)
        if why:
            raise LinesideError("run.step_invalid", step=step.name, why=why)
        taken.add(step.name)


def _wrong(step: OwnStep, known: set[str], taken: set[str]) -> str:
    if not is_name(step.name) or len(step.name) > 32:
        return "its name is none (32 letters, digits and -._ at most)"
    if step.name in taken:
        return "there is another step of this name"
    if bool(step.command) == (step.python is not None):
        return "it needs one of command and python"
    if step.python is not None and step.python.count(":") != 1:
        return "python is MODULE:FUNCTION"
    missing = [need for need in needs_of(step) if need not in known]
    if missing:
        return f"it needs {missing[0]}, and there is no such step"
    if not isinstance(step.files, dict) and step.files:
        return "its files were not sent"
    if len(step.files) > MOST_FILES:
        return f"it has more than {MOST_FILES} files"
    if step.timeout <= 0:
        return "its timeout is not above 0"
    return _wrong_names(step)


def _wrong_names(step: OwnStep) -> str:
    for name in (*step.inputs, *step.outputs, *step.parameters):
        if not name.isidentifier():
            return f"{name!r} is no name for an input, output or parameter (letters, digits and _)"
    for path in (*files_of(step), *step.outputs.values()):
        if not path or path.startswith("/") or "\\" in path or ".." in path.split("/"):
            return f"the path {path!r} leads out of its folder"
    wrong = next((digest for digest in files_of(step).values() if not is_digest(digest)), None)
    return f"{wrong!r} is not a digest" if wrong else ""
