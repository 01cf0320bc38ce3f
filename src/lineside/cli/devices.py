"""`lineside devices`: the fleet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import RenderableType

from lineside.cli import joining, labels
from lineside.cli.asking import Name, diagnose, logs, look
from lineside.cli.device_view import device_view
from lineside.cli.exports import exports
from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.cli.table import mark, rows, when
from lineside.cli.telemetry import telemetry
from lineside.contract.alarm import raised
from lineside.contract.device import Device
from lineside.contract.reported import Report

app = typer.Typer(name="devices", help="Devices of the fleet.", no_args_is_help=True)
app.command("logs")(logs)
app.command("label")(labels.label)
app.command("diagnose")(diagnose)
app.command("look")(look)
app.command("exports")(exports)
app.command("telemetry")(telemetry)
app.command("accept")(joining.accept)
app.command("quarantine")(joining.quarantine)
app.command("revoke")(joining.revoke)
app.command("token")(joining.token)
app.command("tokens")(joining.tokens)
app.command("revoke-token")(joining.revoke_token)
app.command("preauthorise")(joining.preauthorise)
app.command("preauthorised")(joining.preauthorised)
app.command("unpreauthorise")(joining.unpreauthorise)


@app.command("list")
def list_(
    search: Annotated[str, typer.Option("--search", help="A part of the name.")] = "",
    state: Annotated[
        str, typer.Option("--state", help="healthy, offline, failed, troubled, …; several with commas.")
    ] = "",
    group: Annotated[str, typer.Option("--group", help="Members of this group.")] = "",
    selector: Annotated[
        str, typer.Option("--selector", help="By labels and facts: site=berlin, line in (3, 4), memory_mb>=4000.")
    ] = "",
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List devices with their groups and health."""
    with session(url, root, json) as (client, out):
        out.show(client.devices(q=search, summary=state, group=group, selector=selector), _table)


@app.command()
def show(name: Name, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show a device: what is wrong with it, what it should run beside what it runs, and its facts."""
    with session(url, root, json) as (client, out):
        out.show(client.device(name), device_view)


def _troubles(report: Report | None) -> str | None:
    """What is wrong with a device and what runs on it, by code."""
    codes = [one.code for one in report.conditions] if report else []
    return ", ".join([*codes, *(one.alarm.code for one in raised(report))]) or None


def _table(devices: Sequence[Device]) -> RenderableType:
    lines = (
        (
            device.name,
            mark(device.healthy, device.summary),
            "twin" if device.twin else "device",
            ", ".join(device.groups),
            device.desired_revision,
            device.report.revision if device.report else None,
            device.fingerprint[:12] or None,
            when(device.certificate_ends),
            when(device.last_seen),
            _troubles(device.report),
        )
        for device in devices
    )
    headings = (
        "name",
        "state",
        "kind",
        "groups",
        "desired",
        "reported",
        "key",
        "certificate ends",
        "last seen",
        "conditions",
    )
    return rows(headings, lines, "No such device. To let one join, make a token: lineside devices token")
