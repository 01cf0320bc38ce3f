"""How trust is shown: roles, keys, proposals."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from lineside.cli.table import details, mark, rows, spaced, when
from lineside.contract.ceremony import Proposal, ProposalState, TrustKey, TrustMode, TrustView
from lineside.contract.counted import counted

_GOOD = {ProposalState.PUBLISHED: True, ProposalState.OPEN: None}


def draw_trust(view: TrustView, known: str | None) -> RenderableType:
    """All roles. `known` is the root that this machine believes."""
    developer = view.mode is TrustMode.DEVELOPER
    head = details(
        (
            ("trust", mark(not developer, f"{view.mode.value}: {_where(view.mode)}")),
            ("newest root, SHA-256", view.root_sha256),
            ("root believed here", known or "none yet: nothing was signed on this machine"),
            ("waiting", f"{counted(view.open, 'proposal')}: lineside trust proposals" if view.open else None),
            ("next", "lineside trust init --keys DIR" if developer else None),
        )
    )
    lines = (
        (
            role.name,
            role.version,
            f"{role.threshold} of {len(role.keys)}",
            ", ".join(_who(key) for key in role.keys),
            when(role.expires),
        )
        for role in view.roles
    )
    return spaced((head, rows(("role", "version", "must sign", "keys", "expires"), lines, "")))


def draw_keys(keys: Sequence[TrustKey]) -> RenderableType:
    """Every key of every role."""
    lines = (
        (
            key.role,
            key.id[:12],
            key.name,
            "on the control plane" if key.here else "elsewhere",
            when(key.added_at),
            when(key.last_used),
        )
        for key in keys
    )
    return rows(("role", "key", "whose", "lies", "added", "last used"), lines, "")


def draw_proposals(proposals: Sequence[Proposal]) -> RenderableType:
    """A list of proposals."""
    lines = (
        (
            one.id,
            one.kind,
            one.subject,
            mark(_GOOD.get(one.state, False), one.state.value),
            f"{one.signed[0]} of {one.signed[1]}",
            one.by,
            when(one.at),
        )
        for one in proposals
    )
    return rows(("proposal", "what", "about", "state", "signed", "by", "at"), lines, "Nothing was ever proposed.")


def draw_proposal(one: Proposal) -> RenderableType:
    """One proposal."""
    waits = one.state is ProposalState.OPEN
    head = details(
        (
            ("proposal", one.id),
            ("what", f"{one.kind} of {one.subject}"),
            ("state", mark(_GOOD.get(one.state, False), one.state.value)),
            ("signed", f"{one.signed[0]} of {one.signed[1]}"),
            ("by", one.by),
            ("at", when(one.at)),
            ("why", one.why),
            ("reason", one.reason),
            ("next", f"lineside trust sign {one.id} --key FILE" if waits else None),
        )
    )
    changes = Text("\n".join(one.changes))
    lines = (
        (
            file.role,
            file.version,
            "; and ".join(f"{q.threshold} of {', '.join(key[:12] for key in q.keys)}" for q in file.quorums),
            ", ".join(s.name or s.key[:12] for s in one.signatures if s.role == file.role) or "nobody yet",
        )
        for file in one.files
    )
    return spaced((head, changes, rows(("file", "version", "must sign", "signed by"), lines, "")))


def _where(mode: TrustMode) -> str:
    if mode is TrustMode.DEVELOPER:
        return "keys that decide what devices install lie on the control plane's machine"
    return "keys that decide what devices install lie elsewhere"


def _who(key: TrustKey) -> str:
    return key.name or key.id[:12]
