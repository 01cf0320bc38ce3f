"""`lineside loops`: what is trained again, and what starts it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from lineside.cli.loop_file import load_loop
from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.cli.runs import finish, parse_parameters
from lineside.cli.table import details, rows, when
from lineside.contract.counted import counted
from lineside.contract.loop import Loop, LoopApplied

app = typer.Typer(name="loops", help="Loops: what is trained again, and what starts it.", no_args_is_help=True)

LoopName = Annotated[str, typer.Argument(help="Name of a loop.")]


@app.command()
def apply(
    file: Annotated[Path, typer.Option("--file", "-f", help="The loop.yaml.")],
    new_secret: Annotated[bool, typer.Option("--new-secret", help="Give its webhook another secret.")] = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Make a loop from a loop.yaml, or change it."""
    with session(url, root, json) as (client, out):
        applied = client.apply_loop(load_loop(client, file), new_secret=new_secret)
        out.show(applied, _applied, copied=applied.secret or "")


@app.command("list")
def list_(url: Url = None, root: Root = None, json: Json = False) -> None:
    """List loops by name."""
    with session(url, root, json) as (client, out):
        out.show(client.loops(), _table)


@app.command()
def show(name: LoopName, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show a loop: what starts it, and what it did last."""
    with session(url, root, json) as (client, out):
        out.show(client.loop(name), _loop)


@app.command()
def start(
    name: LoopName,
    setting: Annotated[
        list[str] | None, typer.Option("--set", "-p", metavar="NAME=VALUE", help="Other than its document says.")
    ] = None,
    from_step: Annotated[str | None, typer.Option("--from-step", help="Do this step and all after it again.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end; exit 3 when a gate rejects it.")] = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Start a run of a loop now."""
    settings = parse_parameters(setting or [])
    with session(url, root, json) as (client, out):
        finish(client, out, client.start_loop(name, settings, from_step), wait)


@app.command()
def remove(name: LoopName, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Let a loop start nothing any more; what it has started goes on."""
    with session(url, root, json) as (client, out):
        out.show(client.remove_loop(name), _loop)


def _applied(applied: LoopApplied) -> RenderableType:
    said = "It was that way before." if not applied.changed else "Applied."
    more = [("webhook", applied.url)] if applied.url else []
    note = "The secret that signs messages to it, shown this once:" if applied.secret else ""
    return Group(Text(said), details((*_facts(applied.loop), *more)), Text(note))


def _loop(loop: Loop) -> RenderableType:
    return details(_facts(loop))


def _facts(loop: Loop) -> tuple[tuple[str, str | None], ...]:
    document = loop.document
    return (
        ("loop", document.name),
        ("model", document.model or document.name),
        ("dataset", document.dataset),
        ("queue", document.queue),
        ("schedule", document.schedule),
        ("starts", ", ".join(_starts(loop)) or "by hand"),
        ("at most", f"{counted(document.runs_per_month, 'run')} a month" if document.runs_per_month else None),
        ("next", when(loop.next_at)),
        ("due", loop.due),
        ("waits for", "; ".join(loop.waits) or None),
        ("last run", loop.run),
        ("it began for", loop.started_by),
        ("problem", f"{loop.problem.code}: {loop.problem.message}" if loop.problem else None),
        ("applied", f"{when(loop.changed_at)} by {loop.by}"),
    )


def _starts(loop: Loop) -> list[str]:
    document, triggers = loop.document, loop.document.triggers
    named = (
        ("schedule", document.schedule is not None),
        ("new dataset version", triggers.new_dataset),
        ("webhook", triggers.webhook),
        (counted(triggers.reviewed or 0, "reviewed picture"), triggers.reviewed is not None),
        ("drift held", triggers.drift),
        (f"field accuracy below {triggers.field_accuracy}", triggers.field_accuracy is not None),
    )
    return [name for name, there in named if there]


def _table(loops: Sequence[Loop]) -> RenderableType:
    lines = (
        (
            loop.document.name,
            loop.document.dataset,
            ", ".join(_starts(loop)) or "by hand",
            loop.due or when(loop.next_at),
            "; ".join(loop.waits) or None,
            loop.run,
        )
        for loop in loops
    )
    headings = ("loop", "dataset", "starts", "next", "waits for", "last run")
    return rows(headings, lines, "No loop yet: lineside loops apply -f loop.yaml")
