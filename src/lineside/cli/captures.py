"""`lineside captures`: images devices kept, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from lineside.cli.collections import COMMANDS
from lineside.cli.lineage import of_capture
from lineside.cli.options import Json, Limit, Offset, Root, Url
from lineside.cli.output import session
from lineside.cli.table import details, rows, size, when
from lineside.contract.capture import Capture, CapturePage

app = typer.Typer(name="captures", help="Captures: images devices kept, and why.", no_args_is_help=True)
app.command("lineage")(of_capture)
for _command in COMMANDS:
    app.command(_command.__name__)(_command)


@app.command("list")
def list_(
    device: Annotated[str | None, typer.Option("--device", help="Only captures of this device.")] = None,
    strategy: Annotated[str | None, typer.Option("--strategy", help="Only this strategy: uncertain, random.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Only what this model decided, NAME:VERSION.")] = None,
    request: Annotated[str | None, typer.Option("--request", help="Only what answers this collection.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only what arrived after this time (RFC 3339).")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Only what arrived until this time (RFC 3339).")] = None,
    before: Annotated[str | None, typer.Option("--before", help="Go on from here: `next` of the page before.")] = None,
    offset: Offset = 0,
    limit: Limit = 50,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List captures, newest first."""
    with session(url, root, json) as (client, out):
        found = client.captures(
            device=device,
            strategy=strategy,
            model=model,
            request=request,
            since=since,
            until=until,
            before=before,
            offset=offset,
            limit=limit,
        )
        out.show(found, _table)


@app.command()
def show(
    capture: Annotated[str, typer.Argument(help="Id of a capture.")],
    save: Annotated[Path | None, typer.Option("--save", help="Write the image to this file.")] = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show a capture, and save its image when asked to."""
    with session(url, root, json) as (client, out):
        found = client.capture(capture)
        if save:
            client.fetch_blob(found.record.digest, save)
        out.show(found, _details)


def _table(page: CapturePage) -> RenderableType:
    lines = (
        (c.record.id, c.record.device, c.record.strategy, c.record.reason, when(c.record.captured_at))
        for c in page.captures
    )
    return rows(("id", "device", "strategy", "reason", "captured"), lines, "No capture yet.")


def _details(capture: Capture) -> RenderableType:
    record = capture.record
    return details(
        (
            ("id", record.id),
            ("device", record.device),
            ("strategy", record.strategy),
            ("reason", record.reason),
            ("captured", when(record.captured_at)),
            ("uploaded", when(capture.uploaded_at)),
            ("image", f"{record.content_type}, {size(record.size)}, {record.digest}"),
            ("file", record.result.image if record.result else None),
        )
    )
