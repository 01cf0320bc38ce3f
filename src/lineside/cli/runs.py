"""`lineside runs`: executions of the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Group, RenderableType

from lineside.cli.follow import FINISHED, follow_logs, follow_run
from lineside.cli.loop_file import load_loop, upload_file
from lineside.cli.options import Json, Root, Url
from lineside.cli.output import Output, session
from lineside.cli.table import details, mark, rows, when
from lineside.client import Client
from lineside.contract.advice import advice
from lineside.contract.dataset import DatasetVersion
from lineside.contract.errors import LinesideError
from lineside.contract.loop import LoopDocument, changed, request_of
from lineside.contract.model import GateResult
from lineside.contract.reading import UNREADABLE
from lineside.contract.run import KINDS, CurvePoint, Run, RunPage, RunState, Step, StepState

app = typer.Typer(name="runs", help="Runs: executions of the pipeline.", no_args_is_help=True)

EXIT_GATED = 3
"""Exit status of a command that waited for a run which a gate rejected."""

RunId = Annotated[str, typer.Argument(help="Id of a run.")]

_GOOD = {RunState.SUCCEEDED: True, RunState.GATED: False, RunState.FAILED: False}
_STEP_GOOD = {StepState.DONE: True, StepState.CACHED: True, StepState.FAILED: False}


@app.command()
def start(
    file: Annotated[Path | None, typer.Option("--file", "-f", help="A loop.yaml that says what to run.")] = None,
    dataset: Annotated[str | None, typer.Option("--dataset", help="Dataset version, or a name for its newest.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Name to register under; the dataset's by default.")
    ] = None,
    trainer: Annotated[str | None, typer.Option("--trainer", help="compact, yolox, or a plug-in.")] = None,
    init: Annotated[Path | None, typer.Option("--init", help="File with weights to start from.")] = None,
    init_model: Annotated[
        str | None, typer.Option("--init-model", metavar="NAME:VERSION", help="A model version to start from.")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--set", "-p", metavar="NAME=VALUE", help="A trainer's parameter.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="What decides chance; 0 by default.")] = None,
    queue: Annotated[str | None, typer.Option("--queue", help="Whose workers take it.")] = None,
    from_step: Annotated[str | None, typer.Option("--from-step", help="Do this step and all after it again.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end; exit 3 when a gate rejects it.")] = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Start a training run."""
    if (file is None) == (dataset is None):
        raise typer.BadParameter("give --dataset, or --file with a loop.yaml")
    said = {"model": model, "trainer": trainer, "seed": seed, "queue": queue}
    settings = parse_parameters(parameter or []) | {name: value for name, value in said.items() if value is not None}
    with session(url, root, json) as (client, out):
        if init is not None:
            settings["init"] = upload_file(client, init)
        elif init_model is not None:
            settings["init"] = _weights_of(client, init_model)
        document = _plain(client, dataset, settings) if dataset is not None else load_loop(client, file or Path())
        document = changed(document, settings)
        request = msgspec.structs.replace(request_of(document, document.dataset, from_step), loop=None)
        started = client.start_run(request)
        if advice(request) and not json:
            out.say(advice(request))
        finish(client, out, started, wait)


@app.command("list")
def list_(
    loop: Annotated[str | None, typer.Option("--loop", help="Those that this loop started.")] = None,
    state: Annotated[str, typer.Option("--state", help="In one of these states, commas between.")] = "",
    kind: Annotated[str | None, typer.Option("--kind", help=f"One of {', '.join(KINDS)}.")] = None,
    before: Annotated[int | None, typer.Option("--before", help="What the page before said comes next.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="At most so many.")] = 50,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List runs, newest first, a page at a time."""
    with session(url, root, json) as (client, out):
        found = client.run_page(loop=loop, states=state, kind=kind, before=before, limit=limit)
        out.show(found, _table)
        out.follows(found.total, "" if found.next is None else f"Older ones: --before {found.next}")


@app.command()
def show(
    run: RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Watch it until it ends.")] = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show a run: its steps and gates."""
    with session(url, root, json) as (client, out):
        finish(client, out, client.run(run), follow)


@app.command()
def curves(run: RunId, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show the training curves of a run."""
    with session(url, root, json) as (client, out):
        out.show(client.run_curves(run), _curves)


@app.command()
def logs(
    run: RunId,
    step: Annotated[str | None, typer.Option("--step", help="Of this step alone.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show what a run's steps said; with --json one piece a line."""
    with session(url, root, json) as (client, out):
        for piece in follow_logs(client, run, step, follow=follow):
            if json:
                out.line(piece)
            else:
                out.console.print(piece.text, end="", markup=False, highlight=False, soft_wrap=True)


@app.command()
def cancel(run: RunId, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Stop a run; what finished steps made stays."""
    with session(url, root, json) as (client, out):
        out.show(client.cancel_run(run), draw_run)


def parse_parameters(settings: Sequence[str]) -> dict[str, Any]:
    """`name=value` pairs; a value is JSON where it can be, else text. Anything else is a usage error."""
    parameters: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not name or not equals:
            raise typer.BadParameter(f"{setting!r} is not NAME=VALUE")
        try:
            parameters[name] = msgspec.json.decode(value)
        except UNREADABLE:
            parameters[name] = value
    return parameters


def _plain(client: Client, dataset: str, settings: dict[str, Any]) -> LoopDocument:
    """What to run when only a dataset was named."""
    found = find_dataset(client, dataset)
    return LoopDocument(name=found.name, dataset=found.id, trainer="yolox" if "init" in settings else "compact")


def _weights_of(client: Client, model: str) -> str:
    """The file of a model version that has not been optimized yet. Raises `request.not_found`."""
    found = client.find_model(model)
    plain = next((variant.digest for variant in found.variants if variant.name == "fp32"), None)
    if plain is None:
        raise LinesideError("request.not_found", what="fp32 file of the model", name=model)
    return plain


def find_dataset(client: Client, text: str) -> DatasetVersion:
    """The dataset version with this id, or the newest of this name. Raises `request.not_found`."""
    return client.dataset(text)


def finish(client: Client, out: Output, run: Run, wait: bool) -> None:
    """Show a run; when asked to wait, after its end, with exit status 3 if a gate rejected it and 1 if it failed."""
    if wait:
        run = follow_run(client, run, out.progress, quiet=out.json)
    out.show(run, draw_run)
    if wait and run.state is RunState.GATED:
        raise typer.Exit(EXIT_GATED)
    if wait and run.state is not RunState.SUCCEEDED:
        raise typer.Exit(1)


def draw_run(run: Run) -> RenderableType:
    """A run for people: what it is, its steps, its gates."""
    request = run.request
    head = details(
        (
            ("id", run.id),
            ("state", mark(_GOOD.get(run.state), run.state.value.replace("_", " "))),
            ("kind", f"{request.kind}, {request.trainer}" if request.kind == "train" else request.kind),
            ("dataset", request.dataset),
            ("model", f"{request.model}:{run.model_version}" if run.model_version else request.model),
            ("created", when(run.created_at)),
            ("started by", run.by),
            ("finished", when(run.finished_at)),
            ("error", f"{run.error.code}: {run.error.message}" if run.error else None),
            ("next", _next(run)),
        )
    )
    return Group(head, _steps(run.steps), draw_gates(run.gates))


def draw_gates(gates: Sequence[GateResult]) -> RenderableType:
    """Gates with their numbers, and in words what those say that did not pass."""
    lines = (
        (
            gate.name,
            gate.level,
            mark(gate.passed, "passed" if gate.passed else "failed"),
            gate.value,
            gate.limit,
            "" if gate.passed else gate.sentence,
        )
        for gate in gates
    )
    return rows(("gate", "level", "outcome", "value", "limit", "why"), lines, "")


def _next(run: Run) -> str | None:
    if run.state not in FINISHED:
        return f"lineside runs show {run.id} --follow"
    return f"lineside models show {run.request.model}:{run.model_version}" if run.model_version else None


def _steps(steps: Sequence[Step]) -> RenderableType:
    lines = (
        (
            step.name,
            mark(_STEP_GOOD.get(step.state), step.state.value),
            f"{step.progress:.0%}",
            f"{step.error.code}: {step.error.message}" if step.error else step.message,
        )
        for step in steps
    )
    return rows(("step", "state", "progress", "message"), lines, "")


def _table(page: RunPage) -> RenderableType:
    lines = (
        (
            run.id,
            KINDS[run.request.kind],
            f"{run.request.model}:{run.model_version}" if run.model_version else run.request.model,
            mark(_GOOD.get(run.state), run.state.value.replace("_", " ")),
            run.request.dataset,
            when(run.created_at),
        )
        for run in page.runs
    )
    headings = ("id", "kind", "model", "state", "dataset", "created")
    return rows(headings, lines, "No run yet. Start one: lineside runs start --dataset NAME")


def _curves(points: Sequence[CurvePoint]) -> RenderableType:
    series = sorted({point.series for point in points})
    values = {(point.epoch, point.series): point.value for point in points}
    epochs = sorted({point.epoch for point in points})
    lines = ((epoch, *(values.get((epoch, name)) for name in series)) for epoch in epochs)
    return rows(("epoch", *series), lines, "No curve yet.")
