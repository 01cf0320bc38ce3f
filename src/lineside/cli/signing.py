"""What every command that signs does: show what would be signed, as this machine found out, ask, and sign."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import typer
from securesystemslib.signer import Signer

from lineside.cli.output import Output
from lineside.client import Client, key_files, signing, trusted
from lineside.client.signing import Review
from lineside.contract.ceremony import Proposal, ProposalState
from lineside.contract.errors import LinesideError

PASSPHRASE = "LINESIDE_KEY_PASSPHRASE"
"""The environment variable that stands for typing the passphrase of a key file."""


def reviewed(
    client: Client,
    out: Output,
    proposal: Proposal,
    root_sha256: str | None = None,
    yes: bool = False,
    *,
    first: bool = False,
) -> Review:
    """What a proposal changes, found out on this machine. A root that was never seen here is shown and asked about;
    with `yes` it must be named (`root_sha256`), unless what was here `first` may be believed.

    Raises as `signing.review`.
    """

    def confirm(actual: str) -> bool:
        if yes:
            return first
        out.say(f"This machine has not seen the root of {client.url} before. Its newest has SHA-256\n  {actual}")
        return asked("Is that what another signer sees")

    found = signing.review(client, proposal, trusted.folder(), confirm, root_sha256)
    for warning in found.trusted.warnings:
        out.say(warning)
    return found


def show(out: Output, found: Review) -> None:
    """What would be signed, in sentences."""
    out.say(f"{found.proposal.id}, {found.proposal.kind} of {found.proposal.subject}:")
    for sentence in found.sentences:
        out.say(f"  {sentence}")


def agreed(yes: bool) -> None:
    """Ask whether to sign. Raises `trust.not_confirmed`."""
    if not yes and not asked("Sign this"):
        raise LinesideError("trust.not_confirmed")


def signed(client: Client, found: Review, key: Path) -> Proposal:
    """Sign a reviewed proposal with a key file and send the signatures. Raises `trust.key_file` and more."""
    return send(client, found, key_files.load(key, passphrase))


def send(client: Client, found: Review, signer: Signer) -> Proposal:
    """Sign a reviewed proposal and send the signatures."""
    return client.add_signatures(found.proposal.id, signing.sign(found, signer))


def signed_by_all(
    client: Client, out: Output, proposal: Proposal, keys: Sequence[Path], root_sha256: str | None, yes: bool
) -> Proposal:
    """Review a proposal, ask, and sign it with several key files."""
    found = reviewed(client, out, proposal, root_sha256, yes)
    show(out, found)
    agreed(yes)
    for key in keys:
        if proposal.state is ProposalState.OPEN:  # enough of them may have signed before the last
            proposal = signed(client, found, key)
    return proposal


def asked(question: str) -> bool:
    """A question that only `y` answers with yes; nobody there to answer is a no."""
    return sys.stdin.isatty() and typer.confirm(question, default=False, err=True)


def passphrase(file: Path) -> str:
    """The passphrase of a key file, from the environment or asked for."""
    return os.environ.get(PASSPHRASE) or str(typer.prompt(f"Passphrase of {file}", hide_input=True, err=True))


def new_passphrase() -> str:
    """A passphrase for new key files, asked for twice."""
    given = os.environ.get(PASSPHRASE)
    ask: Callable[..., str] = typer.prompt
    return given or str(ask("Passphrase for the new keys", hide_input=True, confirmation_prompt=True, err=True))
