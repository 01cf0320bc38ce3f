"""The audit trail: every decision is a row, and each row names the one before it by its hash."""

from __future__ import annotations

import msgspec

from lineside.contract.ids import content_digest

FIRST = "sha256:" + "0" * 64
"""What the first row names as the row before it."""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One decision. `hash` covers every other field, `previous` among them (see `entry_hash`)."""

    number: int  # 1, 2, 3, … without a gap
    at: str
    actor: str  # who: a person, a device, the worker, the control plane itself
    by: str  # how we know: session, token, local, worker, device, system
    source: str  # from where: the caller's address
    action: str  # what: noun.verb, as in `model.approve`
    subject: str  # about what
    digest: str | None  # the digest it was about
    why: str
    previous: str
    hash: str


def entry_hash(entry: AuditEntry) -> str:
    """What `hash` must be: the content digest of the entry with an empty `hash`."""
    return content_digest(msgspec.to_builtins(msgspec.structs.replace(entry, hash="")))
