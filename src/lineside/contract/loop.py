"""Loops: what is trained again and again, as a `loop.yaml` says; by hand, by a clock, or when data comes."""

from __future__ import annotations

from typing import Any

import msgspec

from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.gate import CostRule, GateSpec, check_gates
from lineside.contract.ids import is_digest, is_name
from lineside.contract.own_step import OwnStep
from lineside.contract.run import RunRequest
from lineside.contract.run_order import arrange
from lineside.contract.twin import PROFILES

SPEC = "lineside.loop/1"
LATEST = "@latest"
"""What is behind the name of a dataset whose newest version is meant."""


class Triggers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What starts a run beside people and the clock."""

    new_dataset: bool = False  # a new version of the loop's dataset
    webhook: bool = False  # a signed message to /loop-hooks/NAME
    reviewed: int | None = None  # so many pictures were reviewed since its last run began
    drift: bool = False  # drift of its model is held somewhere
    field_accuracy: float | None = None  # what its model finds in the field is worth less than this


class LoopDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A loop.yaml. What is absent has the default a run has. Without `dataset` only `steps` are done."""

    spec: str = SPEC
    name: str
    description: str = ""
    model: str | None = None  # name to register under; the loop's by default
    dataset: str | None = None  # an id, or NAME@latest
    field: str | None = None  # a field set that is scored, too: an id, or NAME@latest
    trainer: str = "compact"
    init: str | None = None  # starting weights: a file beside the loop.yaml, or a digest
    seed: int = 0
    parameters: dict[str, Any] = {}
    gates: tuple[GateSpec, ...] = ()
    targets: tuple[str, ...] = ()
    cost: CostRule | None = None
    queue: str = "default"
    schedule: str | None = None  # cron, in UTC: minute hour day month weekday
    triggers: Triggers = msgspec.field(default_factory=Triggers)
    cooldown_minutes: float = 0.0  # between the beginnings of two runs that nobody asked for by hand
    runs_per_month: int | None = None  # runs that nobody asked for by hand, in a calendar month of UTC
    steps: tuple[OwnStep, ...] = ()


class Loop(msgspec.Struct, frozen=True, kw_only=True):
    """A loop as the control plane knows it. `due` says why a run will begin as soon as it may, `waits` what is missing
    until one does, a sentence each: also how far the triggers are that do not hold."""

    document: LoopDocument
    created_at: str
    changed_at: str
    by: str
    next_at: str | None = None  # by its schedule
    due: str | None = None
    run: str | None = None  # the newest
    started_at: str | None = None
    started_by: str | None = None  # what the newest began for
    waits: tuple[str, ...] = ()
    problem: ErrorReport | None = None  # why the last one could not begin


class LoopAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What a program hears that sent a message to a loop's webhook: no more than that a run will begin."""

    name: str
    due: bool


class LoopApplied(msgspec.Struct, frozen=True, kw_only=True):
    """What applying a loop came to. `secret` signs messages to `url`, and is in this answer and nowhere else."""

    loop: Loop
    changed: bool
    url: str | None = None
    secret: str | None = None


class StartLoop(msgspec.Struct, frozen=True, kw_only=True):
    """Start a run of a loop, other than its document says in places: `settings` are those of `--set`."""

    settings: dict[str, Any] = {}
    from_step: str | None = None


def check_loop(document: LoopDocument) -> None:
    """Raises `loop.invalid`; for its steps `run.step_invalid`, `run.request_incomplete`; what `check_gates` does."""
    if document.spec != SPEC:
        raise LinesideError("loop.invalid", loop=document.name[:40], why=f"its spec is not {SPEC}")
    for name in (document.name, document.model or document.name, document.queue):
        if not is_name(name) or len(name) > 64:
            raise LinesideError("loop.invalid", loop=document.name[:40], why=f"{name[:80]!r} is no name")
    if document.init is not None and not is_digest(document.init):
        raise LinesideError("loop.invalid", loop=document.name, why=f"{document.init[:80]!r} was not sent")
    wrong = _wrong_trigger(document)
    if wrong:
        raise LinesideError("loop.invalid", loop=document.name, why=wrong)
    check_gates(document.gates, document.targets, PROFILES, document.cost, field=document.field is not None)
    arrange(kind_of(document), document.steps)


def _wrong_trigger(document: LoopDocument) -> str:
    triggers, latest = document.triggers, series_of(document) is not None
    by_data = ("new_dataset", triggers.new_dataset), *needing_new_data(triggers)
    named = [name for name, wanted in by_data if wanted]
    if named and not latest:
        return f"{named[0]} needs a dataset NAME{LATEST}"
    if document.cooldown_minutes < 0:
        return "cooldown_minutes is below 0"
    if document.runs_per_month is not None and document.runs_per_month < 1:
        return "runs_per_month is below 1"
    if triggers.reviewed is not None and triggers.reviewed < 1:
        return "reviewed is below 1"
    if triggers.field_accuracy is not None and not 0 < triggers.field_accuracy <= 1:
        return "field_accuracy does not lie between 0 and 1"
    return ""


def needing_new_data(triggers: Triggers) -> tuple[tuple[str, bool], ...]:
    """The triggers that hold for as long as something is so, and whether each is wanted. They start a run only on a
    version of the dataset that the loop has not trained on: the same again would teach nothing."""
    return (
        ("reviewed", triggers.reviewed is not None),
        ("drift", triggers.drift),
        ("field_accuracy", triggers.field_accuracy is not None),
    )


def kind_of(document: LoopDocument) -> str:
    """The kind of its runs."""
    return "steps" if document.dataset is None else "train"


def series_of(document: LoopDocument) -> str | None:
    """The name of the dataset whose newest version is meant, if there is one."""
    name = document.dataset or ""
    return name.removesuffix(LATEST) if name.endswith(LATEST) else None


def changed(document: LoopDocument, settings: dict[str, Any]) -> LoopDocument:
    """The document with settings of `--set`: a field by its name, `steps.STEP.PARAMETER`, else a parameter.

    Raises `loop.invalid`.
    """
    plain: dict[str, Any] = msgspec.to_builtins(document)
    for name, value in settings.items():
        if name.startswith("steps."):
            _set_in_step(document, plain, name, value)
        elif name in _SETTABLE:
            plain[name] = value
        else:
            plain["parameters"] = {**plain["parameters"], name: value}
    try:
        return msgspec.convert(plain, LoopDocument)
    except msgspec.ValidationError as why:
        raise LinesideError("loop.invalid", loop=document.name, why=why) from why


def request_of(document: LoopDocument, dataset: str | None, from_step: str | None = None) -> RunRequest:
    """The run of a document, on the dataset version that its name stands for now."""
    return RunRequest(
        kind=kind_of(document),
        model=document.model or document.name,
        dataset=dataset,
        trainer=document.trainer,
        init=document.init,
        parameters=document.parameters,
        seed=document.seed,
        queue=document.queue,
        gates=document.gates,
        targets=document.targets,
        cost=document.cost,
        field=document.field,
        steps=document.steps,
        from_step=from_step,
        loop=document.name,
    )


_SETTABLE = ("model", "dataset", "field", "trainer", "init", "seed", "queue", "targets")


def _set_in_step(document: LoopDocument, plain: dict[str, Any], name: str, value: Any) -> None:
    _, _, rest = name.partition(".")
    step, _, parameter = rest.partition(".")
    found = next((known for known in plain["steps"] if known["name"] == step), None)
    if found is None or not parameter:
        raise LinesideError("loop.invalid", loop=document.name, why=f"{name} names no parameter of a step of its own")
    found["parameters"] = {**found["parameters"], parameter: value}
