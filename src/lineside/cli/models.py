"""`lineside models`: trained models between training and the fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineside.cli.approving import approve, reject, withdraw
from lineside.cli.comparing import compare
from lineside.cli.evaluate import evaluate
from lineside.cli.loop_file import upload_file
from lineside.cli.model_export import export
from lineside.cli.model_view import model_details, table
from lineside.cli.options import Json, Model, ModelCommand, Reason, Root, Url, which
from lineside.cli.output import session
from lineside.cli.registry import alias, aliases, card, retire
from lineside.cli.runs import find_dataset, finish, parse_parameters
from lineside.contract.errors import LinesideError
from lineside.contract.gate import CostRule
from lineside.contract.model import Decision, ImportModel

app = typer.Typer(name="models", help="Model versions.", no_args_is_help=True)


@app.command("list")
def list_(
    name: Annotated[str, typer.Option("--name", help="Of this model only.")] = "",
    search: Annotated[str, typer.Option("--search", help="Part of a name.")] = "",
    state: Annotated[str, typer.Option("--state", help="In one of these states, with commas between.")] = "",
    dataset: Annotated[str, typer.Option("--dataset", help="Made from this dataset version (an id).")] = "",
    limit: Annotated[int | None, typer.Option("--limit", min=1, max=500, help="At most so many.")] = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List model versions, newest first."""
    with session(url, root, json) as (client, out):
        if limit is None:
            found = client.models(name=name, q=search, states=state, dataset=dataset)
        else:
            page = client.model_page(name=name, q=search, states=state, dataset=dataset, limit=limit)
            found = list(page.models)
        out.show(found, table)


@app.command(cls=ModelCommand)
def show(model: Model, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show a model version: metrics, variants, gates, lineage."""
    with session(url, root, json) as (client, out):
        out.show(client.model(*which(client, model)), model_details)


@app.command(cls=ModelCommand)
def retest(
    model: Model,
    reason: Reason = "",
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Have a model that awaits approval, or failed on its twins, tested there again."""
    with session(url, root, json) as (client, out):
        out.show(client.retest_model(*which(client, model), Decision(reason=reason)), model_details)


for decision in (approve, withdraw, reject, retire, card, evaluate, export):
    app.command(decision.__name__, cls=ModelCommand)(decision)
for listing in (alias, aliases, compare):
    app.command(listing.__name__)(listing)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="An ONNX file.")],
    name: Annotated[str, typer.Option("--name", help="Name to register under.")],
    head: Annotated[
        str, typer.Option("--head", help="How its output is read: yolov8, yolov5, yolox, ssd, detr, classify, compact.")
    ],
    labels: Annotated[str, typer.Option("--labels", help="A file with one label a line, or labels with commas.")],
    dataset: Annotated[str | None, typer.Option("--dataset", help="Evaluate it on this dataset version.")] = None,
    feed: Annotated[
        list[str] | None,
        typer.Option("--feed", help="How it is fed, where that is not usual for the head: channels=bgr, scale=1, …"),
    ] = None,
    missed_cost: Annotated[
        float | None,
        typer.Option(
            "--missed-cost", help="A missed object costs as much as so many false alarms: choose the threshold by it."
        ),
    ] = None,
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
            feed=parse_parameters(feed or []),
            cost=None if missed_cost is None else CostRule(missed=missed_cost),
        )
        finish(client, out, client.import_model(request), wait)


def read_labels(text: str) -> tuple[str, ...]:
    """Labels from a file with one a line, or from a list with commas. Raises `cli.file_unreadable`."""
    try:
        parts = Path(text).read_text(encoding="utf-8").splitlines() if Path(text).is_file() else text.split(",")
    except (OSError, UnicodeDecodeError) as why:
        raise LinesideError("cli.file_unreadable", file=text, why=why) from why
    return tuple(part.strip() for part in parts if part.strip())
