"""Options and steps that the commands of `lineside trust` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineside.cli.output import Output
from lineside.cli.signing import signed_by_all
from lineside.cli.trust_view import draw_proposal
from lineside.client import Client
from lineside.contract.ceremony import Proposal, ProposalState, ProposeChange

Role = Annotated[str, typer.Argument(help="root, targets, approvers, builders, staging, snapshot or timestamp.")]
Sign = Annotated[
    list[Path] | None, typer.Option("--sign", help="Sign it at once with this key file; may be given again.")
]


def propose(
    client: Client,
    out: Output,
    change: ProposeChange,
    sign: list[Path] | None,
    root_sha256: str | None,
    yes: bool,
) -> None:
    """Propose a change, sign it with the keys that were named, and show what came of it."""
    proposal: Proposal = client.propose_change(change)
    if sign and proposal.state is ProposalState.OPEN:
        proposal = signed_by_all(client, out, proposal, sign, root_sha256, yes)
    out.show(proposal, draw_proposal)
