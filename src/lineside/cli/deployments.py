"""`lineside deployments`: what groups should run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import yaml
from rich.console import RenderableType

from lineside.cli.options import Json, ModelRef, Root, Url, model_ref
from lineside.cli.output import session
from lineside.cli.release import release_document
from lineside.cli.table import details, rows, when
from lineside.contract.deployment import Deployment, DeploymentDocument
from lineside.contract.errors import LinesideError

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


def read_document(file: Path) -> DeploymentDocument:
    """A deployment document from a JSON or YAML file. Raises `cli.bad_document`."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        return msgspec.convert(_parse(text), DeploymentDocument)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError) as why:
        raise LinesideError("cli.bad_document", file=file, why=" ".join(str(why).split())) from why


def _parse(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
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


def _details(deployment: Deployment) -> RenderableType:
    return details(
        (
            ("id", deployment.id),
            ("name", deployment.name),
            ("group", deployment.group),
            ("components", _components(deployment)),
            ("on failure", deployment.failure_policy),
            ("rollout", deployment.rollout),
            ("created", when(deployment.created_at)),
            ("watch with", f"lineside rollouts show {deployment.rollout}"),
        )
    )
