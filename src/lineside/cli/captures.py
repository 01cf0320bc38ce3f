"""`lineside captures`: images devices kept, and why."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from lineside.cli.collections import COMMANDS
from lineside.cli.lineage import of_capture
from lineside.cli.options import Json, Limit, Offset, Root, Url
from lineside.cli.output import session
from lineside.cli.table import details, rows, size, when
from lineside.client.saving import saved
from lineside.contract.capture import Capture, CapturePage
from lineside.contract.counted import counted

app = typer.Typer(name="captures", help="Captures: images devices kept, and why.", no_args_is_help=True)
app.command("lineage")(of_capture)
for _command in COMMANDS:
    app.command(_command.__name__)(_command)


_Device = Annotated[str | None, typer.Option("--device", help="Only captures of this device.")]
_Strategy = Annotated[str | None, typer.Option("--strategy", help="Only this strategy: uncertain, random.")]
_Model = Annotated[str | None, typer.Option("--model", help="Only what this model decided, NAME:VERSION.")]
_Request = Annotated[str | None, typer.Option("--request", help="Only what answers this collection.")]
_Since = Annotated[str | None, typer.Option("--since", help="Only what arrived after this time (RFC 3339).")]
_Until = Annotated[str | None, typer.Option("--until", help="Only what arrived until this time (RFC 3339).")]


@app.command("list")
def list_(
    device: _Device = None,
    strategy: _Strategy = None,
    model: _Model = None,
    request: _Request = None,
    since: _Since = None,
    until: _Until = None,
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
def export(
    device: _Device = None,
    strategy: _Strategy = None,
    model: _Model = None,
    request: _Request = None,
    since: _Since = None,
    until: _Until = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Into this file; else standard output.")] = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Write capture records as JSON lines, newest first: one schema, lineside.capture/1, as devices made them."""
    with session(url, root, json) as (client, out):
        pieces = client.export_captures(
            device=device, strategy=strategy, model=model, request=request, since=since, until=until
        )
        if output is None:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        count = _written(pieces, output)
        out.say(f"{counted(count, 'record is', 'records are')} in {output}.")
        if json:
            out.line({"file": str(output), "records": count})


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


def _written(pieces: Iterable[bytes], target: Path) -> int:
    """Renamed in when all of it is on the disk; how many lines."""
    count = 0

    def counted() -> Iterator[bytes]:
        nonlocal count
        for piece in pieces:
            count += piece.count(b"\n")
            yield piece

    saved(counted(), target)
    return count


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
