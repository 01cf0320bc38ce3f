"""`lineside secrets`: what components may ask for. Values go in by standard input or a file, and never come out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType

from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.cli.table import rows, when
from lineside.contract.counted import counted
from lineside.contract.secret import KeyRotation, Secret, SecretDetails

app = typer.Typer(name="secrets", help="Secrets of components.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A secret's name, like line1/camera.")]


@app.command("set")
def set_(
    name: Name,
    file: Annotated[
        Path | None,
        typer.Option("--file", exists=True, dir_okay=False, help="Read the value from this file, every byte of it."),
    ] = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Give a secret a new value, read from standard input (without the newline at its end) or from a file."""
    with session(url, root, json) as (client, out):
        value = file.read_bytes() if file is not None else _typed()
        out.show(client.set_secret(name, value), lambda secret: f"{name} has a new value, version {_newest(secret)}")


@app.command("list")
def list_(url: Url = None, root: Root = None, json: Json = False) -> None:
    """List secrets, without their values."""
    with session(url, root, json) as (client, out):
        out.show(client.secrets(), _table)


@app.command("show")
def show(name: Name, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show a secret's versions and who may have it; never its value."""
    with session(url, root, json) as (client, out):
        out.show(client.secret(name), _details)


@app.command("remove")
def remove(name: Name, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Forget a secret, here and then on the devices."""
    with session(url, root, json) as (client, out):
        out.show(
            client.remove_secret(name), lambda secret: f"{name} is forgotten; devices forget it when they ask next"
        )


@app.command("rotate-key")
def rotate_key(url: Url = None, root: Root = None, json: Json = False) -> None:
    """Change the key that secrets are stored with; devices notice nothing."""
    with session(url, root, json) as (client, out):
        out.show(client.rotate_secrets_key(), _rotated)


def _typed() -> bytes:
    """Standard input; at a terminal what is typed is not shown."""
    if sys.stdin.isatty():
        return str(typer.prompt("Value", hide_input=True, err=True)).encode()
    return sys.stdin.buffer.read().removesuffix(b"\n")


def _newest(secret: Secret) -> str:
    return secret.versions[0].id


def _table(secrets: list[Secret]) -> RenderableType:
    lines = ((one.name, _newest(one), when(one.versions[0].set_at), one.versions[0].set_by) for one in secrets)
    return rows(("name", "version", "set", "by"), lines, "No secret yet: lineside secrets set NAME --file FILE")


def _details(details: SecretDetails) -> RenderableType:
    versions = ((one.id, " ".join(one.stages), when(one.set_at), one.set_by) for one in details.secret.versions)
    devices = (
        (one.device, "yes" if one.named else "no more", one.version or "-", when(one.at)) for one in details.devices
    )
    return Group(
        rows(("version", "labels", "set", "by"), versions, ""),
        rows(("component",), ((one,) for one in details.components), "No component's recipe names it."),
        rows(("device", "may have it", "given version", "at"), devices, "No device may have it."),
    )


def _rotated(rotation: KeyRotation) -> str:
    return f"{counted(rotation.versions, 'version is', 'versions are')} sealed with a new key, {rotation.key}"
