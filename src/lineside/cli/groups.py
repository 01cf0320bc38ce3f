"""`lineside groups`: named sets of devices, by hand or by a selector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Group as Lines
from rich.console import RenderableType
from rich.text import Text

from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.cli.table import details, rows, when
from lineside.contract.group import Changed, Group, GroupChange, GroupRequest, Which

app = typer.Typer(name="groups", help="Groups of devices.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="GROUP", help="Name of a group.")]
Devices = Annotated[list[str] | None, typer.Argument(metavar="DEVICE …", help="Names of devices.")]
Selected = Annotated[str | None, typer.Option("--selector", help="All devices that this selects now.")]
Selector = Annotated[
    str | None, typer.Option("--selector", help="By labels and facts: site=berlin, line in (3, 4), memory_mb>=4000.")
]


@app.command("list")
def list_(url: Url = None, root: Root = None, json: Json = False) -> None:
    """List groups with the number of their devices."""
    with session(url, root, json) as (client, out):
        out.show(client.groups(), _table)


@app.command()
def show(name: Name, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show a group and what is deployed to it."""
    with session(url, root, json) as (client, out):
        out.show(client.group(name), _details)


@app.command()
def create(
    name: Name,
    selector: Selector = None,
    description: Annotated[str, typer.Option("--description", help="What it is for.")] = "",
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Make a group; with a selector it has every device that the selector selects, now and later."""
    with session(url, root, json) as (client, out):
        request = GroupRequest(name=name, selector=selector, description=description)
        out.show(client.create_group(request), _details)


@app.command()
def change(
    name: Name,
    selector: Annotated[str | None, typer.Option("--selector", help='Another selector; "" takes it away.')] = None,
    description: Annotated[str | None, typer.Option("--description", help="What it is for.")] = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Change what a group selects, or what it is for."""
    with session(url, root, json) as (client, out):
        out.show(client.change_group(name, GroupChange(selector=selector, description=description)), _details)


@app.command()
def delete(name: Name, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Forget a group to which nothing is deployed; its devices stay."""
    with session(url, root, json) as (client, out):
        out.show(client.delete_group(name), lambda group: Text(f"The group {group.name} is gone; its devices stay."))


@app.command()
def add(
    name: Name,
    devices: Devices = None,
    selector: Selected = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Put devices into a group: by name, or all that a selector selects now."""
    with session(url, root, json) as (client, out):
        which = Which(devices=tuple(devices or ()), selector=selector)
        out.show(client.add_to_group(name, which), lambda changed: _changed(changed, f"put into {name}"))


@app.command()
def remove(
    name: Name,
    devices: Devices = None,
    selector: Selected = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Take devices out of a group: by name, or all that a selector selects now."""
    with session(url, root, json) as (client, out):
        which = Which(devices=tuple(devices or ()), selector=selector)
        out.show(client.remove_from_group(name, which), lambda changed: _changed(changed, f"taken out of {name}"))


def _table(groups: Sequence[Group]) -> RenderableType:
    lines = ((one.name, one.devices, one.selector, one.description or None, when(one.created_at)) for one in groups)
    headings = ("name", "devices", "selector", "about", "since")
    return rows(headings, lines, "There is no group. Make one: lineside groups create NAME --selector …")


def _details(group: Group) -> RenderableType:
    shown = details(
        (
            ("name", group.name),
            ("devices", group.devices),
            ("by selector", group.selected if group.selector else None),
            ("selector", group.selector),
            ("about", group.description),
            ("deployed", ", ".join(group.deployments)),
            ("since", when(group.created_at)),
        )
    )
    return Lines(shown, Text(f"\nIts devices: lineside devices list --group {group.name}"))


def _changed(changed: Changed, what: str) -> RenderableType:
    return Text(f"{changed.devices} {'device' if changed.devices == 1 else 'devices'} {what}.")
