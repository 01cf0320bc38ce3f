"""`lineside models`: trained models between training and the fleet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType

from lineside.cli.options import Json, Model, Root, Url
from lineside.cli.output import session
from lineside.cli.runs import draw_gates, find_dataset, finish, upload_file
from lineside.cli.table import details, mark, rows, short, size, when
from lineside.contract.errors import LinesideError
from lineside.contract.model import Decision, ImportModel, ModelState, ModelVersion

app = typer.Typer(name="models", help="Model versions.", no_args_is_help=True)

_GOOD = {
    ModelState.APPROVED: True,
    ModelState.GATED_OUT: False,
    ModelState.TWIN_FAILED: False,
    ModelState.REJECTED: False,
}


@app.command("list")
def list_(url: Url = None, root: Root = None, json: Json = False) -> None:
    """List model versions, newest first."""
    with session(url, root, json) as (client, out):
        out.show(client.models(), _table)


@app.command()
def show(model: Model, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show a model version: metrics, variants, gates, lineage."""
    with session(url, root, json) as (client, out):
        out.show(client.model(*model), _details)


@app.command()
def approve(
    model: Model,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Approve a model: it is signed, and devices may install it."""
    with session(url, root, json) as (client, out):
        out.show(client.approve_model(*model, Decision(reason=reason)), _details)


@app.command()
def reject(
    model: Model,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")],
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Reject a model, with a reason."""
    with session(url, root, json) as (client, out):
        out.show(client.reject_model(*model, Decision(reason=reason)), _details)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="An ONNX file.")],
    name: Annotated[str, typer.Option("--name", help="Name to register under.")],
    head: Annotated[str, typer.Option("--head", help="How its output is read: yolox, compact.")],
    labels: Annotated[str, typer.Option("--labels", help="A file with one label a line, or labels with commas.")],
    dataset: Annotated[str | None, typer.Option("--dataset", help="Evaluate it on this dataset version.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is checked and registered.")] = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Register a model that was trained elsewhere."""
    with session(url, root, json) as (client, out):
        request = ImportModel(
            name=name,
            file=upload_file(client, file),
            head=head,
            labels=read_labels(labels),
            dataset=find_dataset(client, dataset).id if dataset else None,
        )
        finish(client, out, client.import_model(request), wait)


def read_labels(text: str) -> tuple[str, ...]:
    """Labels from a file with one a line, or from a list with commas. Raises `cli.file_unreadable`."""
    try:
        parts = Path(text).read_text(encoding="utf-8").splitlines() if Path(text).is_file() else text.split(",")
    except (OSError, UnicodeDecodeError) as why:
        raise LinesideError("cli.file_unreadable", file=text, why=why) from why
    return tuple(part.strip() for part in parts if part.strip())


def _score(model: ModelVersion, split: str) -> str | None:
    metrics = model.metrics.get(split)
    return f"{metrics.map50:.3f} / {metrics.map:.3f}" if metrics else None


def _table(models: Sequence[ModelVersion]) -> RenderableType:
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


def _details(model: ModelVersion) -> RenderableType:
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
            ("started from", short(lineage.init) if lineage.init else "random weights"),
            ("code", lineage.code_version),
            ("created", when(model.created_at)),
            ("next", _next(model)),
        )
    )
    return Group(head, _metrics(model), _variants(model), draw_gates(model.gates))


def _next(model: ModelVersion) -> str | None:
    if model.state is ModelState.AWAITING_APPROVAL:
        return f"lineside models approve {model.label}"
    if model.state is ModelState.APPROVED:
        return f"lineside deployments create --group GROUP --model {model.label}"
    return None


def _metrics(model: ModelVersion) -> RenderableType:
    lines = ((split, m.map50, m.map, m.images, m.boxes) for split, m in model.metrics.items())
    return rows(("split", "mAP50", "mAP50-95", "images", "boxes"), lines, "")


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
