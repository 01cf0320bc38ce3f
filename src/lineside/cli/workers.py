"""`lineside workers`, and `lineside worker`, which is the pipeline's program."""

from __future__ import annotations

from collections.abc import Sequence

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


def worker(context: typer.Context) -> None:
    """Do the runs that wait in a queue: worker --url URL --root DIR --queue NAME --slots N."""
    raise typer.Exit(program("worker", context.args))


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
