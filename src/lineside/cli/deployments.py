"""`lineside deployments`: what groups should run."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import yaml
from rich.console import RenderableType

from lineside.cli.options import Json, ModelRef, Root, Url, model_ref
from lineside.cli.output import session
from lineside.cli.release import release_document
from lineside.cli.table import details, rows, size, when
from lineside.client import Client
from lineside.contract.bundle import DOCUMENT, read_bundle
from lineside.contract.deployment import Deployment, DeploymentDocument
from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE

app = typer.Typer(name="deployments", help="Deployments: components wanted by a group.", no_args_is_help=True)


@app.command()
def create(
    file: Annotated[
        Path | None, typer.Argument(help="A Greengrass V2 deployment document, JSON or YAML; - reads standard input.")
    ] = None,
    group: Annotated[str | None, typer.Option("--group", help="Group to deploy a model to.")] = None,
    model: Annotated[
        ModelRef | None,
        typer.Option("--model", parser=model_ref, metavar="NAME:VERSION", help="The approved model to deploy."),
    ] = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Deploy a document, or a model and its inference component to a group."""
    if (file is None) == (group is None and model is None):
        raise typer.BadParameter("give a document, or --group and --model")
    if file is None and (group is None or model is None):
        raise typer.BadParameter("--group and --model go together")
    with session(url, root, json) as (client, out):
        if file is not None:
            document = read_document(file)
        else:
            assert group is not None
            assert model is not None
            document = release_document(client.components(), group, model)
        out.show(client.deploy(document), _details)


@app.command("list")
def list_(url: Url = None, root: Root = None, json: Json = False) -> None:
    """List deployments, newest first."""
    with session(url, root, json) as (client, out):
        out.show(client.deployments(), _table)


@app.command()
def show(
    deployment: Annotated[str, typer.Argument(help="Id of a deployment.")],
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show a deployment."""
    with session(url, root, json) as (client, out):
        out.show(client.deployment(deployment), _details)


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
        return yaml.safe_load(text)


def _components(deployment: Deployment) -> str:
    return ", ".join(f"{name} {spec.component_version}" for name, spec in deployment.components.items())


def _table(deployments: Sequence[Deployment]) -> RenderableType:
    lines = (
        (
            deployment.id,
            deployment.group,
            "twins" if deployment.staging else "release",
            _components(deployment),
            deployment.rollout,
            when(deployment.created_at),
        )
        for deployment in deployments
    )
    headings = ("id", "group", "kind", "components", "rollout", "created")
    return rows(headings, lines, "Nothing deployed. Deploy a model: lineside deployments create --group G --model N:V")


def _asking(deployment: Deployment) -> str:
    policy = deployment.update_policy
    if policy.action == "SKIP_NOTIFY_COMPONENTS":
        return "components are not asked"
    return f"components are asked, and may put it off for {policy.timeout_in_seconds:g} s"


def _run_with(deployment: Deployment) -> Iterator[str]:
    for name, spec in deployment.components.items():
        if spec.run_with is not None:
            limits = spec.run_with.system_resource_limits
            memory = f"{size(limits.memory * 1024)} memory" if limits.memory else ""
            cpus = f"{limits.cpus:g} CPUs" if limits.cpus else ""
            said = (f"as {spec.run_with.posix_user}" if spec.run_with.posix_user else "", memory, cpus)
            yield f"{name} " + ", ".join(part for part in said if part)


def _details(deployment: Deployment) -> RenderableType:
    return details(
        (
            ("id", deployment.id),
            ("name", deployment.name),
            ("group", deployment.group),
            ("components", _components(deployment)),
            ("on failure", deployment.failure_policy),
            ("before stopping", _asking(deployment)),
            ("validation", f"{deployment.validation_policy.timeout_in_seconds:g} s"),
            ("run with", "; ".join(_run_with(deployment)) or None),
            ("rollout", deployment.rollout),
            ("created", when(deployment.created_at)),
            ("watch with", f"lineside rollouts show {deployment.rollout}"),
        )
    )
