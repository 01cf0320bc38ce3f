"""What the repository's metadata says at first, and when each role's must be signed anew. Pure: no disk, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from securesystemslib.signer import Key
from tuf.api.metadata import TOP_LEVEL_ROLE_NAMES, DelegatedRole, Delegations, Root, Targets

from lineside.contract.errors import LinesideError
from lineside.contract.trust import ROLE_PATHS

ROLES = (*sorted(TOP_LEVEL_ROLE_NAMES), *ROLE_PATHS)
TOP_ONLINE = ("snapshot", "timestamp")
"""Signed by the control plane whenever something is published."""

_YEAR = timedelta(days=365)
_LIFETIMES = {"timestamp": timedelta(days=1), "snapshot": timedelta(days=7)}


def expiry(role: str, now: datetime) -> datetime:
    """When metadata of `role` signed now expires: timestamp a day, snapshot a week, all others a year."""
    return (now + _LIFETIMES.get(role, _YEAR)).replace(microsecond=0)


def is_due(role: str, expires: datetime, now: datetime) -> bool:
    """Whether the role should be signed anew: half of its lifetime is over."""
    return expires - now < _LIFETIMES.get(role, _YEAR) / 2


def signed_at(role: str, expires: datetime) -> datetime:
    """When metadata of `role` that expires then was made."""
    return expires - _LIFETIMES.get(role, _YEAR)


def first_root(keys: Mapping[str, Key], now: datetime) -> Root:
    """Root version 1: one key for each top-level role, threshold 1, consistent snapshots."""
    root = Root(version=1, expires=expiry("root", now), consistent_snapshot=True)
    for role in sorted(TOP_LEVEL_ROLE_NAMES):
        root.add_key(keys[role], role)
    return root


def first_targets(keys: Mapping[str, Key], now: datetime) -> Targets:
    """Top-level targets version 1: no target of its own, one terminating delegation a path of `ROLE_PATHS`."""
    roles = {
        role: DelegatedRole(role, [keys[role].keyid], threshold=1, terminating=True, paths=[pattern])
        for role, pattern in ROLE_PATHS.items()
    }
    delegations = Delegations(keys={keys[role].keyid: keys[role] for role in ROLE_PATHS}, roles=roles)
    return Targets(version=1, expires=expiry("targets", now), delegations=delegations)


def role_of(path: str) -> str:
    """The delegated role that signs a target path. Raises `trust.no_role`."""
    folder, _, name = path.partition("/")
    for role, pattern in ROLE_PATHS.items():
        if pattern == f"{folder}/*" and name and "/" not in name:
            return role
    raise LinesideError("trust.no_role", path=path)
