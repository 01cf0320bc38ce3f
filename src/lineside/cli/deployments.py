"""`lineside deployments`: what groups should run."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import yaml
from rich.console import RenderableType

from lineside.cli.deployment_view import deployment_details, preview_details, table
from lineside.cli.options import Json, Limit, Root, Url, model_ref, which
from lineside.cli.output import session
from lineside.cli.release import release_document
from lineside.cli.table import details, size
from lineside.client import Client
from lineside.contract.bundle import DOCUMENT, read_bundle
from lineside.contract.deployment import DeploymentDocument
from lineside.contract.errors import LinesideError
from lineside.contract.plain_yaml import load_plain
from lineside.contract.reading import UNREADABLE
from lineside.contract.registry import Reference

app = typer.Typer(name="deployments", help="Deployments: components wanted by a group.", no_args_is_help=True)


Document = Annotated[
    Path | None, typer.Argument(help="A Greengrass V2 deployment document, JSON or YAML; - reads standard input.")
]
Group = Annotated[str | None, typer.Option("--group", help="Group to deploy a model to.")]
ForModel = Annotated[
    Reference | None,
    typer.Option("--model", parser=model_ref, metavar="NAME:VERSION", help="The approved model; or NAME@ALIAS."),
]


@app.command()
def create(
    file: Document = None,
    group: Group = None,
    model: ForModel = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Deploy a document, or a model and its inference component to a group."""
    _check_named(file, group, model)
    with session(url, root, json) as (client, out):
        out.show(client.deploy(_document(client, file, group, model)), deployment_details)


@app.command()
def preview(
    file: Document = None,
    group: Group = None,
    model: ForModel = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show what a document would come to for each device of its group; nothing is deployed."""
    _check_named(file, group, model)
    with session(url, root, json) as (client, out):
        out.show(client.preview_deployment(_document(client, file, group, model)), preview_details)


@app.command("list")
def list_(
    group: Annotated[str | None, typer.Option("--group", help="Only deployments to this group.")] = None,
    before: Annotated[str | None, typer.Option("--before", help="Only those before this one.")] = None,
    limit: Limit = 100,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List deployments, newest first, a page at a time."""
    with session(url, root, json) as (client, out):
        found = client.deployments(group=group, before=before, limit=limit)
        out.show(found, table)
        out.follows(found.total, "" if found.next is None else f"Older ones: --before {found.next}")


@app.command()
def show(
    deployment: Annotated[str, typer.Argument(help="Id of a deployment.")],
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show a deployment."""
    with session(url, root, json) as (client, out):
        out.show(client.deployment(deployment), deployment_details)


@app.command()
def bundle(
    file: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    device: Annotated[str | None, typer.Argument(help="The device to carry it to.")] = None,
    group: Annotated[str | None, typer.Option("--group", help="Or the group whose devices it is for.")] = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Write what a device should run, with all it needs for that, into one signed file to be carried by hand."""
    if (device is None) == (group is None):
        raise typer.BadParameter("name a device, or give --group")
    with session(url, root, json) as (client, out):
        out.show(_written(client, file, device, group), _carried)


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle that was written; `size` in bytes."""

    file: str
    size: int
    digest: str
    name: str
    components: dict[str, str]


def _written(client: Client, file: Path, device: str | None, group: str | None) -> Written:
    try:
        client.bundle(file, device=device, group=group)
        with file.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            content = read_bundle(archive.read(DOCUMENT))
            stream.seek(0)
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise LinesideError("cli.file_unwritable", file=file, why=error.strerror or error) from error
    components = {one.name: one.version for one in content.desired.components}
    return Written(
        file=str(file),
        size=file.stat().st_size,
        digest=f"sha256:{digest}",
        name=content.name,
        components=components,
    )


def _carried(written: Written) -> RenderableType:
    return details(
        (
            ("bundle", written.name),
            ("components", ", ".join(f"{name} {version}" for name, version in written.components.items())),
            ("file", written.file),
            ("size", size(written.size)),
            ("digest", written.digest),
            ("on the device", f"lineside agent import {Path(written.file).name} --root DIR"),
        )
    )


def _check_named(file: Path | None, group: str | None, model: Reference | None) -> None:
    if (file is None) == (group is None and model is None):
        raise typer.BadParameter("give a document, or --group and --model")
    if file is None and (group is None or model is None):
        raise typer.BadParameter("--group and --model go together")


def _document(client: Client, file: Path | None, group: str | None, model: Reference | None) -> DeploymentDocument:
    if file is not None:
        return read_document(file)
    assert group is not None
    assert model is not None
    return release_document(client.components(), group, which(client, model))


def read_document(file: Path) -> DeploymentDocument:
    """A deployment document from a JSON or YAML file. Raises `cli.bad_document`."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        document = msgspec.convert(_parse(text), DeploymentDocument)
        msgspec.json.encode(document)  # YAML can say half a character, which nobody could send
        return document
    except (OSError, ValueError, RecursionError, yaml.YAMLError, msgspec.ValidationError) as why:
        raise LinesideError("cli.bad_document", file=file, why=" ".join(str(why).split())) from why


def _parse(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except UNREADABLE:
        return load_plain(text)
