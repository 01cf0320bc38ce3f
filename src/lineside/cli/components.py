"""`lineside components`: what can be installed on devices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import RenderableType
from rich.text import Text

from lineside.cli.adoption import adoption
from lineside.cli.approving import Key, sign_component
from lineside.cli.check import check
from lineside.cli.model_view import draw_approval
from lineside.cli.options import Json, Limit, Offset, Root, RootSha, Url, Yes
from lineside.cli.output import session
from lineside.cli.table import details, mark, rows, short, size, spaced, when
from lineside.client.own_component import add_component
from lineside.contract.ceremony import ProposalState
from lineside.contract.component import Component, ComponentDetails, ComponentKind, ComponentPage
from lineside.contract.errors import LinesideError
from lineside.contract.reported import ComponentState

app = typer.Typer(name="components", help="Components: recipes with their artifacts.", no_args_is_help=True)
app.command("check")(check)
app.command("adoption")(adoption)

_BAD = (ComponentState.ERRORED.value, ComponentState.BROKEN.value)


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Option("--name", help="Only versions of this component.")] = None,
    offset: Offset = 0,
    limit: Limit = 100,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List component versions, newest first, a page at a time."""
    with session(url, root, json) as (client, out):
        found = client.component_page(name=name, offset=offset, limit=limit)
        out.show(found, _table)
        more = found.offset + len(found.components)
        out.follows(found.total, f"Older ones: --offset {more}" if more < found.total else "")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of the component.")],
    version: Annotated[str, typer.Argument(help="Its version.")],
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show a component version: recipe, artifacts, who signed it, which devices run it."""
    with session(url, root, json) as (client, out):
        out.show(client.component(name, version), _details)


@app.command()
def add(
    recipe: Annotated[Path, typer.Argument(help="A Greengrass V2 recipe, YAML or JSON.")],
    artifacts: Annotated[
        Path | None, typer.Option("--artifacts", help="Folder of the files that the recipe names; else beside it.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What {COMPONENT_NAME} in the recipe stands for.")] = None,
    version: Annotated[
        str | None, typer.Option("--version", help="What {COMPONENT_VERSION} in the recipe stands for.")
    ] = None,
    release: Annotated[
        bool, typer.Option("--release/--stage", help="Sign it for all devices, or for twins only.")
    ] = True,
    key: Key = None,
    root_sha256: RootSha = None,
    yes: Yes = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Add a component of your own; only files that the control plane lacks are sent."""
    with session(url, root, json) as (client, out):
        made = add_component(client, recipe, artifacts, name=name, version=version, stage=not release)
        if release and key is not None and made.target is None:
            sign_component(client, out, made.name, made.version, key, root_sha256, yes)
            made = client.component(made.name, made.version).component
        out.show(made, _added)


@app.command()
def sign(
    name: Annotated[str, typer.Argument(help="Name of the component.")],
    version: Annotated[str, typer.Argument(help="Its version.")],
    key: Key = None,
    root_sha256: RootSha = None,
    yes: Yes = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Sign a component's recipe, so that devices may install it."""
    with session(url, root, json) as (client, out):
        if key is not None:
            sign_component(client, out, name, version, key, root_sha256, yes)
        elif client.propose_component(name, version).state is ProposalState.OPEN:
            command = f"lineside components sign {name} {version} --key FILE"
            raise LinesideError("approval.key_needed", what="components", command=command)
        out.show(client.component(name, version), _details)


def _table(page: ComponentPage) -> RenderableType:
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
        for component in page.components
    )
    headings = ("name", "version", "kind", "signed for", "model", "size", "created")
    nothing = "No component yet. Train a model: lineside runs start. Or add one: lineside components add RECIPE"
    return rows(headings, lines, nothing)


def _signed(component: Component) -> str | None:
    if component.target:
        return "devices"
    return "twins" if component.staging_target else None


def _next(component: Component) -> str | None:
    if component.target or component.kind is ComponentKind.MODEL:
        return None
    return f"lineside components sign {component.name} {component.version} --key FILE"


def _head(component: Component) -> RenderableType:
    return details(
        (
            ("name", component.name),
            ("version", component.version),
            ("kind", component.kind.value),
            ("model", component.model),
            ("signed for", _signed(component)),
            ("recipe", short(component.recipe_digest)),
            ("added", when(component.created_at)),
            ("next", _next(component)),
        )
    )


def _artifacts(component: Component) -> RenderableType:
    lines = ((one.name, size(one.size), short(one.digest)) for one in component.artifacts)
    return rows(("artifact", "size", "digest"), lines, "It has no artifacts.")


def _added(component: Component) -> RenderableType:
    return spaced((_head(component), _artifacts(component)))


def _details(found: ComponentDetails) -> RenderableType:
    signed = ((one.role, one.by or None, when(one.at), one.target) for one in found.signed)
    uses = (
        (use.device, mark(use.wanted, "yes" if use.wanted else "no"), _state(use.state) if use.state else None)
        for use in found.uses
    )
    return spaced(
        (
            _head(found.component),
            *([draw_approval(found.approval)] if found.approval else []),
            rows(("signed as", "by", "when", "target"), signed, "Nobody has signed it: no device would install it."),
            _artifacts(found.component),
            rows(("device", "wanted", "state"), uses, "No device runs it or should."),
            Text(msgspec.json.format(msgspec.json.encode(found.recipe)).decode()),
        )
    )


def _state(state: str) -> RenderableType:
    return mark(False if state in _BAD else True if state in ("RUNNING", "FINISHED") else None, state)
