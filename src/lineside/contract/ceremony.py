"""Ceremonies: changes of signed metadata that wait until enough people have signed them with keys of their own.

A proposal holds the exact bytes to be signed. Whoever signs reads them first (what they add, remove or change, compared
with metadata that is trusted already), signs them on a machine of their own and sends the signature alone. When every
file has the signatures it needs, all of them are published together; a proposal that something newer overtook is stale.
"""

from __future__ import annotations

import enum

import msgspec


class TrustMode(enum.Enum):
    """Where the keys lie that decide what devices install."""

    DEVELOPER = "developer"  # all of them on the control plane's machine; every page says so
    OFFLINE = "offline"  # root, targets, approvers and builders elsewhere; the control plane has the online keys only


class TrustKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key that metadata trusts for a role. `id` is TUF's key id."""

    id: str
    role: str
    name: str  # whose it is, as was said when it was added
    public: str  # PEM
    here: bool = False  # its private half lies on the control plane's machine
    added_at: str | None = None
    last_used: str | None = None  # when it signed something last, as far as the control plane saw


class RoleView(msgspec.Struct, frozen=True, kw_only=True):
    """One TUF role as it stands."""

    name: str
    version: int
    threshold: int
    expires: str
    keys: tuple[TrustKey, ...]


class TrustView(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of trust on one page."""

    mode: TrustMode
    roles: tuple[RoleView, ...]
    root_sha256: str = ""  # of the newest root metadata file, hex: to be compared with what other signers see
    open: int = 0  # proposals that wait for signatures


class ProposalState(enum.Enum):
    """Where a proposal stands."""

    OPEN = "open"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"
    STALE = "stale"  # something else was published meanwhile: propose it again


class Quorum(msgspec.Struct, frozen=True, kw_only=True):
    """So many of these keys must sign. A new root needs two quorums: the old root's and its own."""

    threshold: int
    keys: tuple[str, ...]  # key ids


class ProposedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One metadata file of a proposal. `text` is the canonical JSON of its `signed` part: the bytes to be signed."""

    role: str
    version: int
    text: str
    quorums: tuple[Quorum, ...]
    signed_by: tuple[str, ...] = ()  # key ids

    @property
    def complete(self) -> bool:
        """Whether every quorum is met."""
        return all(len(set(one.keys) & set(self.signed_by)) >= one.threshold for one in self.quorums)


class SignedBy(msgspec.Struct, frozen=True, kw_only=True):
    """A signature over one file of a proposal, as the control plane received it."""

    role: str
    key: str  # key id
    name: str  # whose key it is, as metadata says
    at: str
    by: str  # who brought it: the caller
    signature: str  # hex


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A change that waits for signatures."""

    id: str
    kind: str  # model.approve, model.withdraw, component.sign, or one of CHANGES
    subject: str  # name:version of a model or component; the role
    state: ProposalState
    by: str  # who proposed it
    at: str
    why: str
    files: tuple[ProposedFile, ...]
    changes: tuple[str, ...] = ()  # in sentences, as the control plane sees it; a signer's machine finds its own
    signatures: tuple[SignedBy, ...] = ()
    decided_at: str | None = None
    reason: str = ""  # why it was withdrawn or is stale

    @property
    def signed(self) -> tuple[int, int]:
        """(signatures there are, signatures needed) of the file and quorum that lacks most: *1 of 2*."""
        counts = [
            (min(len(set(q.keys) & set(file.signed_by)), q.threshold), q.threshold)
            for file in self.files
            for q in file.quorums
        ]
        return min(counts, key=lambda one: one[0] - one[1])


class Signatures(msgspec.Struct, frozen=True, kw_only=True):
    """Signatures by one key over files of a proposal: role ► hex."""

    key: str  # key id
    signatures: dict[str, str]


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key to be trusted for a role from now on."""

    role: str
    public: str  # PEM
    name: str = ""


CHANGES = ("init", "key.add", "key.remove", "key.rotate", "threshold", "renew")
"""Changes of keys that may be proposed by themselves."""

TAKEN_OVER = ("root", "targets", "approvers", "builders")
"""The roles whose keys lie elsewhere in offline trust. The control plane keeps snapshot, timestamp and staging."""

KEY_NAME = "x-lineside-name"
"""The field of a TUF key that says whose it is; signed with everything else."""


class ProposeChange(msgspec.Struct, frozen=True, kw_only=True):
    """Propose a change of keys.

    `key.add` needs `role`, `public` and `name`; `key.remove` needs `role` and `key` (the beginning of an id will do, or
    a name); `threshold` needs `role` and `threshold`; `renew` needs `role`. `key.rotate` puts `public` in the place of
    `key` (or of the only one); for a role of the control plane's own it needs `role` alone. `init` needs `keys`, all
    the keys of TAKEN_OVER, and may say `thresholds`.
    """

    kind: str
    role: str = ""
    public: str | None = None
    name: str = ""
    key: str | None = None
    threshold: int | None = None
    keys: tuple[NewKey, ...] = ()
    thresholds: dict[str, int] = {}
    why: str = ""


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """Take a proposal back."""

    why: str = ""
