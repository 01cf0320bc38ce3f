"""`lineside devices`: the fleet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import RenderableType

from lineside.cli.asking import Name, diagnose, logs
from lineside.cli.device_view import device_view
from lineside.cli.exports import exports
from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.cli.table import details, mark, rows, when
from lineside.contract.device import Device, JoinToken, JoinTokenRequest

app = typer.Typer(name="devices", help="Devices of the fleet.", no_args_is_help=True)
app.command("logs")(logs)
app.command("diagnose")(diagnose)
app.command("exports")(exports)


@app.command("list")
def list_(url: Url = None, root: Root = None, json: Json = False) -> None:
    """List devices with their groups and health."""
    with session(url, root, json) as (client, out):
        out.show(client.devices(), _table)


@app.command()
def show(name: Name, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show a device: what is wrong with it, what it should run beside what it runs, and its facts."""
    with session(url, root, json) as (client, out):
        out.show(client.device(name), device_view)


@app.command()
def token(
    group: Annotated[str, typer.Option("--group", help="Group the devices land in.")] = "default",
    uses: Annotated[int, typer.Option("--uses", min=1, help="How many devices may join with it.")] = 1,
    ttl: Annotated[int, typer.Option("--ttl", min=1, help="Seconds until it expires.")] = 3600,
    twin: Annotated[bool, typer.Option("--twin", help="For a twin, a device that models are tried on.")] = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Make a join token and show the command that joins a device with it."""
    request = JoinTokenRequest(group=group, uses=uses, ttl_seconds=ttl, twin=twin)
    with session(url, root, json) as (client, out):
        out.show(client.create_join_token(request), _token)


@app.command()
def revoke(name: Name, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Take a device's leave to take part away."""
    with session(url, root, json) as (client, out):
        out.show(client.revoke_device(name), device_view)


def _table(devices: Sequence[Device]) -> RenderableType:
    lines = (
        (
            device.name,
            mark(device.healthy, device.summary),
            "twin" if device.twin else "device",
            ", ".join(device.groups),
            device.desired_revision,
            device.report.revision if device.report else None,
            when(device.last_seen),
            ", ".join(one.code for one in device.report.conditions) or None if device.report else None,
        )
        for device in devices
    )
    headings = ("name", "state", "kind", "groups", "desired", "reported", "last seen", "conditions")
    return rows(headings, lines, "No device has joined. Make a token: lineside devices token")


def _token(token: JoinToken) -> RenderableType:
    twin = " --twin" if token.twin else ""
    command = f"lineside agent join {token.url} --token {token.token} --ca-sha256 {token.ca_sha256} --root DIR{twin}"
    return details(
        (
            ("group", token.group),
            ("uses", token.uses),
            ("expires", when(token.expires_at)),
            ("join with", command),
        )
    )
