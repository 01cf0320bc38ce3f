"""`lineside events`: what happened, refusals among them."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import RenderableType

from lineside.cli.options import Json, Limit, Root, Url
from lineside.cli.output import session
from lineside.cli.table import rows, when
from lineside.contract.event import Event, EventPage

app = typer.Typer(name="events", help="Events: what happened.", no_args_is_help=True)


@app.command("list")
def list_(
    kind: Annotated[str | None, typer.Option("--kind", help="Only this kind, like device.joined.")] = None,
    before: Annotated[int | None, typer.Option("--before", help="Only events older than this id.")] = None,
    limit: Limit = 50,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List events, newest first."""
    with session(url, root, json) as (client, out):
        out.show(client.events(before=before, limit=limit, kind=kind), _table)


def _table(page: EventPage) -> RenderableType:
    lines = (
        (event.id, when(event.at), event.kind, event.subject, event.actor, _message(event)) for event in page.events
    )
    return rows(("id", "at", "kind", "subject", "by", "what"), lines, "Nothing happened yet.")


def _message(event: Event) -> str:
    return f"{event.message} ({event.error.code})" if event.error else event.message
