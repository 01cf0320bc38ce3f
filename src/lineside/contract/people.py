"""People: who may do what at the control plane, and how they prove who they are."""

from __future__ import annotations

import enum

import msgspec


class Permission(enum.Enum):
    """What a route may ask for. Every route asks for one; who lacks it gets 403."""

    READ = "read"  # look at everything but secrets
    OPERATE = "operate"  # data, runs, devices, deployments, rollouts
    APPROVE = "approve"  # answer for a model; sign
    ADMINISTER = "administer"  # people, keys, secrets
    WORK = "work"  # what the pipeline's worker does


class Role(enum.Enum):
    """What a person is. One person may have several."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.READ}),
    Role.OPERATOR: frozenset({Permission.READ, Permission.OPERATE}),
    Role.APPROVER: frozenset({Permission.READ, Permission.APPROVE}),
    Role.ADMIN: frozenset({Permission.READ, Permission.OPERATE, Permission.APPROVE, Permission.ADMINISTER}),
}
"""An approver who shall operate too is given both roles."""


def permissions_of(roles: tuple[Role, ...]) -> frozenset[Permission]:
    """Everything that somebody with these roles may do."""
    return frozenset().union(*(PERMISSIONS[role] for role in roles))


class WhoAmI(msgspec.Struct, frozen=True, kw_only=True):
    """Who the control plane takes the caller for, and how it knows."""

    name: str
    roles: tuple[Role, ...]
    permissions: tuple[Permission, ...]
    by: str  # session, token, local, worker
