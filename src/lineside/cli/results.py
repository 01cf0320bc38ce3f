"""`lineside results`: what devices decided."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.console import RenderableType

from lineside.cli.adoption import measures
from lineside.cli.options import Json, Root, Url
from lineside.cli.output import Output, session
from lineside.cli.table import rows, when
from lineside.client import Client
from lineside.contract.result import ResultPage, StoredResult

app = typer.Typer(name="results", help="Results: one for each image a device looked at.", no_args_is_help=True)
app.command("measures")(measures)

_EVERY = 1.0  # seconds between questions while following


@app.command()
def tail(
    device: Annotated[str | None, typer.Option("--device", help="Only results of this device.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many to begin with.")] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C; with --json one result a line.")
    ] = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show the newest results, oldest first."""
    with session(url, root, json) as (client, out):
        page = client.results(device=device, limit=limit)
        if follow:
            _follow(client, out, device, page)
        else:
            out.show(page, _table)


def _follow(client: Client, out: Output, device: str | None, page: ResultPage) -> None:
    last = 0
    while True:
        for stored in page.results:
            last = max(last, stored.id)
            if out.json:
                out.line(stored)
            else:
                out.console.print(_sentence(stored), markup=False)
        if not page.results:
            time.sleep(_EVERY)
        page = client.results(after=last, device=device)


def _sentence(stored: StoredResult) -> str:
    result = stored.result
    moment = when(result.captured_at)
    return f"{moment}  {result.device}  {result.image}  {_found(stored)}  {result.latency_ms:.0f} ms"


def _found(stored: StoredResult) -> str:
    found = (f"{detection.label} {detection.confidence:.2f}" for detection in stored.result.detections)
    return (", ".join(found) or "good") + (" (quarantined)" if stored.quarantined else "")


def _table(page: ResultPage) -> RenderableType:
    lines = (
        (
            stored.id,
            when(stored.result.captured_at),
            stored.result.device,
            f"{stored.result.model}:{stored.result.version}",
            stored.result.image,
            _found(stored),
            f"{stored.result.latency_ms:.0f} ms",
        )
        for stored in page.results
    )
    return rows(("id", "captured", "device", "model", "image", "found", "latency"), lines, "No result yet.")
