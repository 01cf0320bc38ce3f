"""`lineside workers`, and `lineside worker`, which is the pipeline's program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from lineside.cli.main import program
from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.cli.table import mark, rows, when
from lineside.contract.worker import Worker


def workers(url: Url = None, root: Root = None, json: Json = False) -> None:
    """List workers, and what each does."""
    with session(url, root, json) as (client, out):
        out.show(client.workers(), _table)


def worker(
    url: Annotated[str, typer.Option("--url", help="Address of the control plane.")],
    root: Annotated[Path, typer.Option("--root", help="Folder for checkpoints, cached blobs and workflows.")],
    name: Annotated[str | None, typer.Option("--name", help="Each worker needs its own; made from the host's.")] = None,
    queue: Annotated[str, typer.Option("--queue", help="The queue whose runs it takes.")] = "default",
    slots: Annotated[int, typer.Option("--slots", min=1, help="How many runs it does at once.")] = 1,
    commands: Annotated[bool, typer.Option("--commands", help="Also do steps that are people's own programs.")] = False,
    keep_seconds: Annotated[float, typer.Option("--keep-seconds", help="Between two copies of a checkpoint.")] = 30.0,
) -> None:
    """Do the runs that wait in a queue, until it is stopped. Its token is in LINESIDE_TOKEN, its CA in LINESIDE_CA."""
    options = {"--url": url, "--root": root, "--name": name, "--queue": queue, "--slots": slots}
    options["--keep-seconds"] = keep_seconds
    words = [str(word) for option, value in options.items() if value is not None for word in (option, value)]
    raise typer.Exit(program("worker", [*words, *(["--commands"] if commands else [])]))


def _table(found: Sequence[Worker]) -> RenderableType:
    lines = (
        (
            one.name,
            one.queue,
            mark(not one.away, "away" if one.away else "there"),
            f"{len(one.runs)} of {one.slots}",
            ", ".join(one.runs),
            one.host,
            one.version,
            when(one.seen_at),
        )
        for one in found
    )
    headings = ("worker", "queue", "state", "slots", "runs", "host", "version", "seen")
    return rows(headings, lines, "No worker yet. Start one: lineside worker --url URL --root DIR")
