"""`lineside trust init`: take the keys that decide what devices install to machines of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from securesystemslib.signer import Signer

from lineside.cli.options import Json, Root, RootSha, Url, Yes
from lineside.cli.output import Output, session
from lineside.cli.signing import agreed, new_passphrase, passphrase, reviewed, send, show
from lineside.cli.trust_view import draw_trust
from lineside.client import Client, key_files, signing, trusted
from lineside.contract.ceremony import TAKEN_OVER, NewKey, Proposal, ProposalState, ProposeChange
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name

_PEOPLE = {"approvers": "approver", "builders": "builder"}


def init(
    keys: Annotated[Path | None, typer.Option("--keys", help="Folder for the new private keys.")] = None,
    root_keys: Annotated[int, typer.Option("--root-keys", min=1, help="How many root keys to make.")] = 1,
    root_threshold: Annotated[int, typer.Option("--root-threshold", min=1, help="How many of them must sign.")] = 1,
    approver: Annotated[
        list[str] | None, typer.Option("--approver", help="NAME, or NAME=FILE.pub for a key made elsewhere.")
    ] = None,
    builder: Annotated[
        list[str] | None, typer.Option("--builder", help="NAME, or NAME=FILE.pub for a key made elsewhere.")
    ] = None,
    threshold: Annotated[
        list[str] | None, typer.Option("--threshold", help="ROLE=N: how many must sign for approvers or builders.")
    ] = None,
    encrypted: Annotated[bool, typer.Option("--passphrase", help="Encrypt the key files with a passphrase.")] = False,
    root_sha256: RootSha = None,
    yes: Yes = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Make keys in a folder of this machine and have devices believe them instead of the control plane's own.

    Without --keys nothing changes: all keys stay on the control plane's machine, which made them at its first start.
    Keys that lie in the folder already are used again, so that a takeover that was broken off can be repeated.
    """
    with session(url, root, json) as (client, out):
        known = trusted.known_root(trusted.folder(), client.url)
        if keys is None:
            out.show(client.trust(), lambda view: draw_trust(view, known))
            return
        people = {"approvers": approver or ["approver"], "builders": builder or ["builder"]}
        new, mine = _keys(keys, root_keys, people, encrypted)
        thresholds = {"root": root_threshold, **_thresholds(threshold or [])}
        change = ProposeChange(kind="init", keys=tuple(new), thresholds=thresholds, why="lineside trust init")
        proposal = _take_over(client, out, change, mine, root_sha256, yes)
        if proposal.state is not ProposalState.PUBLISHED:
            out.say(f"Keys made elsewhere must sign, too: lineside trust sign {proposal.id} --key FILE")
        else:
            _keep_root(client, keys, out)
        out.show(client.trust(), lambda view: draw_trust(view, trusted.known_root(trusted.folder(), client.url)))


def _take_over(
    client: Client, out: Output, change: ProposeChange, mine: list[Signer], root_sha256: str | None, yes: bool
) -> Proposal:
    """Propose, check that exactly what was asked for would be trusted, and sign with every new key that lies here."""
    proposal = client.propose_change(change)
    if proposal.state is not ProposalState.OPEN:
        return proposal
    found = reviewed(client, out, proposal, root_sha256, yes, first=True)
    for role in TAKEN_OVER:
        wanted = frozenset(key_files.id_of(one.public) for one in change.keys if one.role == role)
        if signing.delegation(found, role) != (wanted, change.thresholds.get(role, 1)):
            raise signing.refused(proposal, f"trust other keys for {role} than you named")
    show(out, found)
    agreed(yes)
    for signer in mine:
        waits = proposal.state is ProposalState.OPEN  # enough of them may have signed before the last
        if waits and any(signer.public_key.keyid in keys for keys in found.asked.values()):
            proposal = send(client, found, signer)
    return proposal


def _keys(folder: Path, roots: int, people: dict[str, list[str]], encrypted: bool) -> tuple[list[NewKey], list[Signer]]:
    """The keys to be trusted, made where they are not there yet, and the signers of those that lie here."""
    named: list[tuple[str, str, str | None]] = [
        ("root", f"root-{number}" if roots > 1 else "root", None) for number in range(1, roots + 1)
    ]
    named.append(("targets", "targets", None))
    for role, entries in people.items():
        for entry in entries:
            name, _, public = entry.partition("=")
            if not is_name(name):
                raise LinesideError("request.invalid", why=f"{name!r} cannot name a key")
            named.append((role, name, public or None))
    secret = new_passphrase() if encrypted else None
    new: list[NewKey] = []
    mine: list[Signer] = []
    for role, name, elsewhere in named:
        if elsewhere is not None:
            new.append(NewKey(role=role, public=key_files.read_public(Path(elsewhere)), name=name))
            continue
        file = folder / (f"{_PEOPLE[role]}-{name}.pem" if role in _PEOPLE else f"{name}.pem")
        if not file.exists():
            key_files.make(file, secret)
        signer = key_files.load(file, (lambda _: secret) if secret else passphrase)
        mine.append(signer)
        new.append(NewKey(role=role, public=key_files.public_of(signer), name=name))
    return new, mine


def _thresholds(given: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in given:
        role, _, number = entry.partition("=")
        if role not in TAKEN_OVER or not number.isdecimal():
            raise LinesideError("request.invalid", why=f"{entry!r} is not ROLE=N, like approvers=2")
        found[role] = int(number)
    return found


def _keep_root(client: Client, folder: Path, out: Output) -> None:
    """Follow the new root, and say what other signers need."""
    found = trusted.fetch(client, trusted.folder(), lambda _: False)
    (folder / "root.sha256").write_text(found.root_sha256 + "\n")
    out.say(f"Devices now believe the keys in {folder}. Take them to their owners, and keep no copy here.")
    out.say(f"Every signer's first command gets: --root-sha256 {found.root_sha256}")
