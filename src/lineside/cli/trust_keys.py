"""`lineside trust key`: make a key on this machine, and propose whose keys a role trusts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineside.cli.options import Json, Reason, Root, RootSha, Url, Yes
from lineside.cli.output import Output, session
from lineside.cli.signing import new_passphrase
from lineside.cli.table import details
from lineside.cli.trust_options import Role, Sign, propose
from lineside.client import key_files
from lineside.contract.ceremony import ProposeChange

app = typer.Typer(name="key", help="Keys of signers.", no_args_is_help=True)


@app.command()
def make(
    file: Annotated[Path, typer.Argument(help="Where the private half goes; the public one goes to FILE.pub.")],
    passphrase: Annotated[bool, typer.Option("--passphrase", help="Encrypt the file with a passphrase.")] = False,
    json: Json = False,
) -> None:
    """Make a key on this machine. Give FILE.pub to whoever adds it; FILE never leaves this machine."""
    out = Output(json)
    with out.explaining():
        public = key_files.make(file, new_passphrase() if passphrase else None)
        made = {"file": str(file), "public_file": str(key_files.public_file(file)), "public": public}
        out.show(made, lambda one: details((("private", one["file"]), ("public", one["public_file"]))))


@app.command()
def add(
    role: Role,
    public: Annotated[Path, typer.Option("--public", help="The key's public half.")],
    name: Annotated[str, typer.Option("--name", help="Whose key it is.")],
    sign: Sign = None,
    why: Reason = "",
    root_sha256: RootSha = None,
    yes: Yes = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Propose to trust a further key for a role."""
    with session(url, root, json) as (client, out):
        pem = key_files.read_public(public)
        change = ProposeChange(kind="key.add", role=role, public=pem, name=name, why=why)
        propose(client, out, change, sign, root_sha256, yes)


@app.command()
def remove(
    role: Role,
    key: Annotated[str, typer.Argument(help="The key: its name, or the beginning of its id.")],
    sign: Sign = None,
    why: Reason = "",
    root_sha256: RootSha = None,
    yes: Yes = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Propose to trust a key no longer; what its role signed is signed again without it, in the same proposal."""
    with session(url, root, json) as (client, out):
        change = ProposeChange(kind="key.remove", role=role, key=key, why=why)
        propose(client, out, change, sign, root_sha256, yes)
