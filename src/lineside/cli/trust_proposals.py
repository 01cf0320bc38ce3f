"""`lineside trust proposals`, `proposal show`, `sign` and `withdraw`: what waits for signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineside.cli.options import Json, Reason, Root, RootSha, Url, Yes
from lineside.cli.output import session
from lineside.cli.signing import signed_by_all
from lineside.cli.trust_view import draw_proposal, draw_proposals
from lineside.contract.ceremony import ProposalState

one = typer.Typer(name="proposal", help="One proposal.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="The proposal.")]


def add(app: typer.Typer) -> None:
    """Put these commands below `lineside trust`."""
    app.command("proposals")(proposals)
    app.command("sign")(sign)
    app.command("withdraw")(withdraw)
    app.add_typer(one)


def proposals(
    state: Annotated[ProposalState | None, typer.Option("--state", help="Only those in this state.")] = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List changes of signed metadata, newest first."""
    with session(url, root, json) as (client, out):
        out.show(client.proposals(state), draw_proposals)


@one.command()
def show(proposal: Id, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show a proposal: what it changes, as the control plane says, and whose signatures it waits for."""
    with session(url, root, json) as (client, out):
        out.show(client.proposal(proposal), draw_proposal)


def sign(
    proposal: Id,
    key: Annotated[list[Path], typer.Option("--key", help="A private key file; may be given again.")],
    root_sha256: RootSha = None,
    yes: Yes = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Find out on this machine what a proposal changes, ask, and sign it. The key never leaves this machine."""
    with session(url, root, json) as (client, out):
        out.show(signed_by_all(client, out, client.proposal(proposal), key, root_sha256, yes), draw_proposal)


def withdraw(
    proposal: Id,
    why: Reason = "",
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Take a proposal back."""
    with session(url, root, json) as (client, out):
        out.show(client.withdraw_proposal(proposal, why), draw_proposal)
