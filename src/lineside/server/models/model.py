"""Rules of model versions: what a registration must hold, what names its content, what may be approved."""

from __future__ import annotations

from collections.abc import Iterable

from lineside.contract.errors import LinesideError
from lineside.contract.ids import content_digest
from lineside.contract.model import GateResult, ModelState, ModelVersion, RegisterModel, Variant, check_model_name

_NOT_YET = "its twin test is not done"
_WHY_NOT = {
    ModelState.CANDIDATE: _NOT_YET,
    ModelState.IN_TWIN: _NOT_YET,
    ModelState.TWIN_FAILED: "the twin could not make it work",
    ModelState.REJECTED: "it was rejected",
    ModelState.RETIRED: "it was retired",
}


def chosen_of(model: RegisterModel) -> Variant:
    """The variant that ships. Raises `request.invalid`, `model.name_too_long`, `model.incomplete`."""
    check_model_name(model.name)
    chosen = [variant for variant in model.variants if variant.chosen]
    if len(chosen) != 1:
        raise LinesideError("model.incomplete", name=model.name, why=f"{len(chosen)} of its variants are chosen, not 1")
    if model.lineage.dataset is not None and not chosen[0].metrics:
        raise LinesideError("model.incomplete", name=model.name, why="its chosen variant has no metrics")
    if not model.signature.labels:
        raise LinesideError("model.incomplete", name=model.name, why="its signature has no labels")
    return chosen[0]


def blobs_of(model: RegisterModel) -> Iterable[tuple[str, str, int | None]]:
    """What must be stored: a word for it, its digest, and its size in bytes when that was said."""
    for variant in model.variants:
        yield f"the file of {variant.name}", variant.digest, variant.size
        if variant.golden is not None:
            yield f"the golden set of {variant.name}", variant.golden, None
    yield "the golden set", model.golden, None
    if model.predictions is not None:
        yield "the predictions", model.predictions, None
    if model.evaluation is not None:
        yield "the evaluation", model.evaluation, None


def content_of(model: RegisterModel, chosen: Variant) -> str:
    """What makes two registrations the same model version."""
    lineage = model.lineage
    return content_digest(
        {
            "schema": "lineside.model/1",
            "name": model.name,
            "signature": model.signature,
            "digest": chosen.digest,
            "dataset": lineage.dataset,
            "trainer": lineage.trainer,
            "parameters": lineage.parameters,
        }
    )


def first_state(gates: Iterable[GateResult]) -> ModelState:
    """A BLOCK gate that did not pass keeps a model out for good."""
    return ModelState.GATED_OUT if blocking(gates) else ModelState.CANDIDATE


def blocking(gates: Iterable[GateResult]) -> list[GateResult]:
    """The gates that keep a model out."""
    return [gate for gate in gates if gate.level == "BLOCK" and not gate.passed]


def read_states(text: str) -> tuple[ModelState, ...]:
    """States with commas between; none of an empty text. Raises `request.invalid`."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    known = {state.value: state for state in ModelState}
    for word in words:
        if word not in known:
            raise LinesideError("request.invalid", why=f"{word[:80]!r} is no state of models ({', '.join(known)})")
    return tuple(known[word] for word in words)


def check_approvable(model: ModelVersion) -> None:
    """Raises `model.not_approvable` unless a person is asked about it now."""
    if model.state is ModelState.AWAITING_APPROVAL:
        return
    if model.state is ModelState.GATED_OUT:
        why = "; ".join(gate.sentence.rstrip(".") for gate in blocking(model.gates))
    else:
        why = _WHY_NOT.get(model.state, f"it is {model.state.value}")
    raise LinesideError("model.not_approvable", model=model.label, why=why, state=model.state.value)
