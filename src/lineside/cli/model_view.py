"""How model versions are drawn: a line each, or everything about one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType

from lineside.cli.runs import draw_gates
from lineside.cli.table import details, mark, rows, short, size, when
from lineside.contract.approval import Approval, ApprovalState
from lineside.contract.model import Metrics, ModelState, ModelVersion

_GOOD = {
    ModelState.APPROVED: True,
    ModelState.GATED_OUT: False,
    ModelState.TWIN_FAILED: False,
    ModelState.REJECTED: False,
}


def _score(model: ModelVersion, split: str) -> str | None:
    metrics = model.metrics.get(split)
    return f"{metrics.map50:.3f} / {metrics.map:.3f}" if metrics else None


def table(models: Sequence[ModelVersion]) -> RenderableType:
    """One line a version."""
    lines = (
        (
            model.label,
            mark(_GOOD.get(model.state), model.state.value.replace("_", " ")),
            model.variant,
            _score(model, "test"),
            short(model.digest),
            model.lineage.trainer,
            when(model.created_at),
        )
        for model in models
    )
    headings = ("model", "state", "variant", "test mAP50 / mAP", "digest", "trainer", "created")
    return rows(headings, lines, "No model yet. Train one: lineside runs start --dataset NAME")


def model_details(model: ModelVersion) -> RenderableType:
    """Everything about one version."""
    lineage = model.lineage
    head = details(
        (
            ("model", model.label),
            ("state", mark(_GOOD.get(model.state), model.state.value.replace("_", " "))),
            ("digest", model.digest),
            ("decided by", model.decided_by),
            ("reason", model.reason),
            ("trainer", f"{lineage.trainer}, seed {lineage.seed}"),
            ("dataset", f"{lineage.dataset}, split {lineage.split_by}" if lineage.dataset else None),
            ("run", lineage.run),
            ("twin test", _twin(model)),
            ("started from", short(lineage.init) if lineage.init else "random weights"),
            ("code", lineage.code_version),
            ("created", when(model.created_at)),
            ("next", _next(model)),
        )
    )
    signed = [draw_approval(model.approval)] if model.approval else []
    return Group(head, *signed, metrics_table(model.metrics), _variants(model), draw_gates(model.gates))


def _twin(model: ModelVersion) -> str | None:
    report = f", report {short(model.twin_report)}" if model.twin_report else ""
    return f"{model.twin_rollout}{report}" if model.twin_rollout else None


def draw_approval(approval: Approval) -> RenderableType:
    """How many signatures there are of how many, whose, and what is wrong with them."""
    what = "taking it back: signatures" if approval.withdraws else "signatures"
    good = {ApprovalState.SIGNED: True, ApprovalState.OPEN: None, ApprovalState.VOID: False}[approval.state]
    state = f"void: {approval.why}" if approval.state is ApprovalState.VOID else approval.state.value
    head = details(
        (
            (what, f"{approval.signed} of {approval.needed}"),
            ("approval", mark(good, state)),
            ("proposal", approval.proposal),
        )
    )
    lines = ((one.name or "-", one.by, one.key[:12], when(one.at)) for one in approval.by)
    return Group(head, rows(("signed with the key of", "brought by", "key", "when"), lines, "Nobody has signed yet."))


def _next(model: ModelVersion) -> str | None:
    if model.approval is not None and model.approval.state is ApprovalState.VOID and model.state is ModelState.APPROVED:
        return f"lineside models withdraw {model.label} --reason TEXT"
    if model.state is ModelState.CANDIDATE:
        return "it waits for a twin: lineside twin list"
    if model.state is ModelState.IN_TWIN:
        return f"lineside twin show {model.label}"
    if model.state is ModelState.AWAITING_APPROVAL:
        return f"lineside models approve {model.label}"
    if model.state is ModelState.APPROVED:
        return f"lineside deployments create --group GROUP --model {model.label}"
    return None


def metrics_table(metrics: Mapping[str, Metrics]) -> RenderableType:
    """The scores of a variant, split by split."""
    lines = ((split, m.map50, m.map, m.images, m.boxes) for split, m in metrics.items())
    return rows(("split", "mAP50", "mAP50-95", "images", "boxes"), lines, "It was never scored.")


def _variants(model: ModelVersion) -> RenderableType:
    lines = (
        (
            variant.name,
            mark(True if variant.chosen else None, "ships" if variant.chosen else ""),
            size(variant.size),
            f"{variant.latency_ms:.1f} ms" if variant.latency_ms is not None else None,
            variant.reason,
        )
        for variant in model.variants
    )
    return rows(("variant", "", "size", "latency", "why"), lines, "")
