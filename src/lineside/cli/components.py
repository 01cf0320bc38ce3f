"""`lineside components`: what can be installed on devices."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from rich.console import RenderableType

from lineside.cli.check import check
from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.cli.table import rows, size, when
from lineside.contract.component import Component

app = typer.Typer(name="components", help="Components: recipes with their artifacts.", no_args_is_help=True)
app.command("check")(check)


@app.command("list")
def list_(url: Url = None, root: Root = None, json: Json = False) -> None:
    """List component versions, newest first."""
    with session(url, root, json) as (client, out):
        out.show(client.components(), _table)


def _table(components: Sequence[Component]) -> RenderableType:
    lines = (
        (
            component.name,
            component.version,
            component.kind.value,
            _signed(component),
            component.model,
            size(sum(artifact.size for artifact in component.artifacts)),
            when(component.created_at),
        )
        for component in components
    )
    headings = ("name", "version", "kind", "signed for", "model", "size", "created")
    return rows(headings, lines, "No component yet. Train a model: lineside runs start")


def _signed(component: Component) -> str | None:
    if component.target:
        return "devices"
    return "twins" if component.staging_target else None
