"""What a proposed metadata file changes, compared with the one that is trusted: as values and as sentences.

Both sides use it: the control plane to show a proposal, a signer's machine to decide whether a proposal does what it
says and nothing else. Whatever this does not understand is an `other` change, which no kind of proposal may contain.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from lineside.contract.ceremony import KEY_NAME, TAKEN_OVER
from lineside.contract.counted import counted
from lineside.contract.trust import ROLE_PATHS

Part = Mapping[str, Any]
"""A metadata file's `signed` part, as JSON."""

_TIMES = ("version", "expires")


def part_of(text: str) -> dict[str, Any]:
    """The `signed` part that a proposed file's text is. Raises ValueError.

    Canonical JSON leaves line ends in texts as they are, which strict JSON does not know.
    """
    try:
        found = json.loads(text, strict=False)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    return found


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change. `role` is the role whose keys or targets change."""

    what: str  # target.added, target.removed, target.changed, key.added, key.removed, threshold, other
    role: str
    subject: str = ""  # a target's path, or a key's id
    name: str = ""  # whose key
    digest: str | None = None  # of the target's bytes, as signed now
    custom: dict[str, Any] | None = None  # what the signer says about the target
    before: int | None = None  # a threshold
    after: int | None = None
    note: str = ""

    @property
    def sentence(self) -> str:
        """For people."""
        whose = f"{self.subject[:12]} ({self.name})" if self.name else self.subject[:12]
        return {
            "target.added": f"{self.role} sign {self.subject} with the digest {self.digest}.",
            "target.removed": f"{self.role} no longer sign {self.subject}.",
            "target.changed": f"{self.role} sign {self.subject} with other content: {self.digest}.",
            "key.added": f"The key {whose} may sign for {self.role}.",
            "key.removed": f"The key {whose} may no longer sign for {self.role}.",
            "threshold": f"{counted(self.after or 0, 'key')} must sign for {self.role}; it was {self.before}.",
        }.get(self.what, f"{self.role}: {self.note}.")


def changes(role: str, before: Part, after: Part) -> tuple[Change, ...]:
    """What `after` says otherwise than `before`; the version and the expiry do not count."""
    if role == "root":
        return (
            *_delegated(role, before, after, before.get("roles"), after.get("roles")),
            *_rest(role, before, after, ("keys", "roles")),
        )
    own = _targets(role, before.get("targets"), after.get("targets"))
    if role != "targets":
        return (*own, *_rest(role, before, after, ("targets",)))
    first, second = (one.get("delegations") or {} for one in (before, after))
    named = ({one.get("name"): one for one in part.get("roles") or ()} for part in (first, second))
    return (
        *own,
        *_delegated(role, first, second, *named),
        *_rest(role, first, second, ("keys", "roles")),
        *_rest(role, before, after, ("targets", "delegations")),
    )


def unexpected(kind: str, subject: str, found: Iterable[Change]) -> tuple[Change, ...] | None:
    """The changes that a proposal of this kind does not call for; None when what it calls for is missing."""
    found = tuple(found)
    if kind == "init":
        odd = tuple(one for one in found if one.what not in _KEYS or one.role not in TAKEN_OVER)
        return odd if odd or found else None
    if kind not in _CALLED_FOR:
        return found or None
    role = _SIGNERS.get(kind, subject)
    left = list(found)
    for what in _CALLED_FOR[kind]:
        match = next((one for one in left if one.what == what and one.role == role), None)
        if match is None:
            return tuple(left) or None
        left.remove(match)
    return tuple(left)


_KEYS = ("key.added", "key.removed", "threshold")
_SIGNERS = {"model.approve": "approvers", "model.withdraw": "approvers", "component.sign": "builders"}
_CALLED_FOR: Mapping[str, tuple[str, ...]] = {
    "model.approve": ("target.added",),
    "model.withdraw": ("target.removed",),
    "component.sign": ("target.added",),
    "key.add": ("key.added",),
    "key.remove": ("key.removed",),
    "key.rotate": ("key.added", "key.removed"),
    "threshold": ("threshold",),
    "renew": (),
}


def _targets(role: str, before: Part | None, after: Part | None) -> Iterable[Change]:
    first, second = before or {}, after or {}
    for path in sorted({*first, *second}):
        if first.get(path) == second.get(path):
            continue
        target = second.get(path)
        if target is None:
            yield Change(what="target.removed", role=role, subject=path)
        elif role not in ROLE_PATHS or not _below(path, ROLE_PATHS[role]):
            yield Change(what="other", role=role, subject=path, note=f"it signs {path}, which is not its to sign")
        else:
            what = "target.changed" if path in first else "target.added"
            digest = "sha256:" + str((target.get("hashes") or {}).get("sha256"))
            yield Change(what=what, role=role, subject=path, digest=digest, custom=target.get("custom"))


def _below(path: str, pattern: str) -> bool:
    folder, _, name = path.partition("/")
    return f"{folder}/*" == pattern and bool(name) and "/" not in name


def _delegated(role: str, before: Part, after: Part, roles: Part | None, wanted: Part | None) -> Iterable[Change]:
    """Changes of keys and thresholds of the roles that `role` answers for."""
    roles, wanted = roles or {}, wanted or {}
    first, second = before.get("keys") or {}, after.get("keys") or {}
    if roles.keys() != wanted.keys() or list(roles) != list(wanted):
        yield Change(what="other", role=role, note="it answers for other roles")
    for key in sorted(first.keys() & second.keys()):
        if first[key] != second[key]:
            yield Change(what="other", role=role, subject=key, note=f"the key {key[:12]} becomes another one")
    for name in sorted(roles.keys() & wanted.keys()):
        yield from _one_role(name, first, second, roles[name], wanted[name])
        yield from _rest(name, roles[name], wanted[name], ("keyids", "threshold"))
    used = {key for one in wanted.values() for key in one.get("keyids") or ()}
    for key in sorted(second.keys() - used):
        yield Change(what="other", role=role, subject=key, note=f"it carries the key {key[:12]}, which no role uses")


def _one_role(name: str, first: Part, second: Part, before: Part, after: Part) -> Iterable[Change]:
    had, has = before.get("keyids") or (), after.get("keyids") or ()
    for key in has:
        if key not in had:
            yield Change(what="key.added", role=name, subject=key, name=_name(second.get(key)))
    for key in had:
        if key not in has:
            yield Change(what="key.removed", role=name, subject=key, name=_name(first.get(key)))
    if before.get("threshold") != after.get("threshold"):
        yield Change(what="threshold", role=name, before=before.get("threshold"), after=after.get("threshold"))
    publics = [((second.get(key) or {}).get("keyval") or {}).get("public") for key in has]
    if len(set(publics)) < len(publics):  # one key under two ids would count twice
        yield Change(what="other", role=name, note="the same key stands there more than once")


def _name(key: Part | None) -> str:
    return str((key or {}).get(KEY_NAME, ""))


def _rest(role: str, before: Part, after: Part, known: tuple[str, ...]) -> Iterable[Change]:
    for field in sorted({*before, *after} - {*known, *_TIMES}):
        if before.get(field) != after.get(field):
            yield Change(what="other", role=role, note=f"the field {field} changes")
