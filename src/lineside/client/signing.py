"""Signing a proposal: what it changes is found out here, from metadata verified here, before any key is touched.

The control plane is not believed about what a proposal does. `review` compares each file with the one that is trusted
and refuses whatever the kind of proposal does not call for; `sign` signs exactly the bytes that were reviewed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer import Signer
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Signed
from tuf.api.serialization.json import CanonicalJSONSerializer

from lineside.client.client import Client
from lineside.client.trusted import Trusted, fetch
from lineside.contract.ceremony import Proposal, ProposalState, ProposedFile, Signatures
from lineside.contract.ceremony_changes import Change, Part, changes, part_of, unexpected
from lineside.contract.errors import LinesideError
from lineside.contract.trust import ROLE_PATHS

_LONGEST = timedelta(days=400)  # what is signed lives a year


@dataclass(frozen=True)
class Review:
    """A proposal that does what it says and nothing else, as far as this machine can tell."""

    proposal: Proposal
    changes: tuple[Change, ...]
    trusted: Trusted
    parts: dict[str, Part]  # role -> what its file would say
    asked: dict[str, frozenset[str]]  # role -> ids of the keys that may sign its file

    @property
    def sentences(self) -> tuple[str, ...]:
        """What it changes, for people."""
        return tuple(one.sentence for one in self.changes) or ("It is signed anew, as it is.",)


def review(
    client: Client,
    proposal: Proposal,
    folder: Path,
    confirm: Callable[[str], bool],
    root_sha256: str | None = None,
) -> Review:
    """Find out what a proposal changes. `folder` keeps the roots that are believed; `confirm` is asked about a new one.

    Raises `trust.proposal_closed`, `trust.proposal_unexpected`, and as `trusted.fetch`.
    """
    if proposal.state is not ProposalState.OPEN:
        raise LinesideError("trust.proposal_closed", proposal=proposal.id, state=proposal.state.value)
    trusted = fetch(client, folder, confirm, root_sha256)
    parts = {file.role: _part(proposal, file, trusted) for file in proposal.files}
    found = tuple(one for role, part in parts.items() for one in changes(role, trusted.roles[role], part))
    odd = unexpected(proposal.kind, proposal.subject, found)
    if odd or odd is None or len(parts) < len(proposal.files) or not _in_place(proposal, found):
        what = "; ".join(one.sentence.rstrip(".") for one in odd or ()) or "not what it should"
        raise refused(proposal, what)
    return Review(proposal, found, trusted, parts, {role: _signers(role, trusted, parts) for role in parts})


def sign(reviewed: Review, signer: Signer) -> Signatures:
    """Sign every file of a reviewed proposal that asks for this key. Raises `trust.nothing_to_sign`."""
    key = signer.public_key.keyid
    mine = [file for file in reviewed.proposal.files if key in reviewed.asked[file.role]]
    if not mine:
        raise LinesideError("trust.nothing_to_sign", proposal=reviewed.proposal.id, key=key[:12])
    return Signatures(key=key, signatures={one.role: signer.sign(one.text.encode()).signature for one in mine})


def delegation(found: Review, role: str) -> tuple[frozenset[str], int]:
    """The keys of a role, by id, and how many of them must sign, once the proposal is published."""
    return _delegation(role, found.trusted, found.parts)


def refused(proposal: Proposal, what: str) -> LinesideError:
    """`trust.proposal_unexpected`: it would do `what`, too."""
    return LinesideError(
        "trust.proposal_unexpected", proposal=proposal.id, kind=proposal.kind, subject=proposal.subject, what=what
    )


def _part(proposal: Proposal, file: ProposedFile, trusted: Trusted) -> Part:
    """A file's content, when it could follow the one that is trusted."""
    if file.role not in trusted.roles or file.role in ("snapshot", "timestamp"):
        raise refused(proposal, f"change {file.role}")
    try:
        part = part_of(file.text)
        parsed: Metadata[Any] = Metadata.from_dict({"signed": part_of(file.text), "signatures": []})
    except (ValueError, KeyError, TypeError, AttributeError, RepositoryError) as error:
        raise refused(proposal, f"make {file.role} unreadable ({error})") from error
    signed: Signed = parsed.signed
    canonical = CanonicalJSONSerializer().serialize(signed)
    if signed.type != ("root" if file.role == "root" else "targets") or canonical != file.text.encode():
        raise refused(proposal, f"put something else in the place of {file.role}")
    now, before = signed.version, trusted.roles[file.role]["version"]
    if now <= before or (file.role == "root" and now != before + 1):
        raise refused(proposal, f"lead {file.role} from version {before} to version {now}")
    left = signed.expires - datetime.now(UTC)
    if not timedelta(0) < left < _LONGEST:
        raise refused(proposal, f"make {file.role} expire on {signed.expires.date()}")
    return part


def _in_place(proposal: Proposal, found: tuple[Change, ...]) -> bool:
    """Whether only files change that must: the one that says it, and those whose keys change."""
    touched = {one.role for one in found}
    above = {"targets" if role in ROLE_PATHS else "root" for role in touched}
    return {file.role for file in proposal.files} <= touched | above | {proposal.subject}


def _signers(role: str, trusted: Trusted, parts: dict[str, Part]) -> frozenset[str]:
    """The keys that may sign a file: the present root's for a new root, too."""
    keys = _delegation(role, trusted, parts)[0]
    return keys | _delegation(role, trusted, {})[0] if role == "root" else keys


def _delegation(role: str, trusted: Trusted, parts: dict[str, Part]) -> tuple[frozenset[str], int]:
    if role in ROLE_PATHS:
        delegations = parts.get("targets", trusted.roles["targets"])["delegations"]
        one = next(one for one in delegations["roles"] if one["name"] == role)
    else:
        one = parts.get("root", trusted.roles["root"])["roles"][role]
    return frozenset(one["keyids"]), int(one["threshold"])
