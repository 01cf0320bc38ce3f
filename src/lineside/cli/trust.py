"""`lineside trust`: whose keys decide what devices install, and the ceremonies that change that."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineside.cli import trust_keys, trust_proposals
from lineside.cli.options import Json, Reason, Root, RootSha, Url, Yes
from lineside.cli.output import session
from lineside.cli.trust_init import init
from lineside.cli.trust_options import Role, Sign, propose
from lineside.cli.trust_view import draw_keys, draw_trust
from lineside.client import key_files, trusted
from lineside.contract.ceremony import ProposeChange

app = typer.Typer(name="trust", help="Keys, roles and signatures.", no_args_is_help=True)
app.command("init")(init)
app.add_typer(trust_keys.app)
trust_proposals.add(app)


@app.command()
def show(url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show roles with their keys, thresholds and expiry, and where the keys lie."""
    with session(url, root, json) as (client, out):
        known = trusted.known_root(trusted.folder(), client.url)
        out.show(client.trust(), lambda view: draw_trust(view, known))


@app.command()
def keys(url: Url = None, root: Root = None, json: Json = False) -> None:
    """List every key with when it was used last."""
    with session(url, root, json) as (client, out):
        view = client.trust()
        out.show([key for role in view.roles for key in role.keys], draw_keys)


@app.command()
def threshold(
    role: Role,
    number: Annotated[int, typer.Argument(min=1, help="How many keys must sign.")],
    sign: Sign = None,
    why: Reason = "",
    root_sha256: RootSha = None,
    yes: Yes = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Propose how many keys must sign for a role."""
    with session(url, root, json) as (client, out):
        change = ProposeChange(kind="threshold", role=role, threshold=number, why=why)
        propose(client, out, change, sign, root_sha256, yes)


@app.command()
def rotate(
    role: Annotated[
        str, typer.Argument(help="The role; a role of the control plane's own needs no --public.")
    ] = "root",
    public: Annotated[Path | None, typer.Option("--public", help="The new key's public half.")] = None,
    name: Annotated[str, typer.Option("--name", help="Whose key it is.")] = "",
    key: Annotated[str | None, typer.Option("--key", help="The key it replaces: its name or id.")] = None,
    sign: Sign = None,
    why: Reason = "",
    root_sha256: RootSha = None,
    yes: Yes = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Propose a new key in the place of another."""
    with session(url, root, json) as (client, out):
        pem = key_files.read_public(public) if public else None
        change = ProposeChange(kind="key.rotate", role=role, public=pem, name=name, key=key, why=why)
        propose(client, out, change, sign, root_sha256, yes)


@app.command()
def renew(
    role: Role,
    sign: Sign = None,
    why: Reason = "",
    root_sha256: RootSha = None,
    yes: Yes = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Propose to sign a role anew as it is, with a later expiry."""
    with session(url, root, json) as (client, out):
        propose(client, out, ProposeChange(kind="renew", role=role, why=why), sign, root_sha256, yes)
