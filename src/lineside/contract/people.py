"""People: who may do what at the control plane, and how they prove who they are."""

from __future__ import annotations

import enum
import re

import msgspec

USER_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
"""A name of a person: at most 64 lower-case letters, digits and `.`, `_`, `@`, `+`, `-`; first a letter or a digit."""

RESERVED_NAMES = frozenset({"local", "worker", "system", "device", "somebody", "nobody"})
"""What the audit trail calls callers who are no people."""

MIN_PASSWORD, MAX_PASSWORD = 12, 1024
"""Characters of a password. Nothing else is asked of it, except that it is not the name."""


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


def within_a_token(roles: tuple[Role, ...]) -> frozenset[Permission]:
    """Everything that an API token of somebody with these roles may be made for. An admin's may be a worker's."""
    return permissions_of(roles) | ({Permission.WORK} if Role.ADMIN in roles else frozenset())


class WhoAmI(msgspec.Struct, frozen=True, kw_only=True):
    """Who the control plane takes the caller for, and how it knows."""

    name: str
    roles: tuple[Role, ...]
    permissions: tuple[Permission, ...]
    by: str  # session, token, local, worker


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person as an admin sees them."""

    name: str
    roles: tuple[Role, ...]
    enabled: bool
    password: bool  # whether they have one
    issuer: str | None = None  # the OpenID provider that knows them, for people who came from one
    created_at: str
    signed_in_at: str | None = None  # last


class NewUser(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who shall have access; they choose their password through a one-time link."""

    name: str
    roles: tuple[Role, ...]


class Roles(msgspec.Struct, frozen=True, kw_only=True):
    """The roles that replace those somebody has."""

    roles: tuple[Role, ...]


class OneTimeLink(msgspec.Struct, frozen=True, kw_only=True):
    """An address where somebody chooses their password, once."""

    user: str
    url: str
    expires_at: str


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Signing in. With `token`, a name for it, the answer is an API token that can do all that the person can, and no
    session: that is what `lineside login` asks for."""

    name: str
    password: str
    token: str | None = None

    def __repr__(self) -> str:
        return f"Login(name={self.name!r})"


class UseLink(msgspec.Struct, frozen=True, kw_only=True):
    """Choosing a password through a one-time link, which signs in too (see `Login` for `token`)."""

    link: str  # the text after `?token=`
    password: str
    token: str | None = None

    def __repr__(self) -> str:
        return "UseLink()"


class ChangePassword(msgspec.Struct, frozen=True, kw_only=True):
    """A new password for oneself."""

    current: str
    new: str

    def __repr__(self) -> str:
        return "ChangePassword()"


class NewToken(msgspec.Struct, frozen=True, kw_only=True):
    """An API token to be made: what it is for, what it may do, how long. `user` names another person (admins)."""

    name: str
    permissions: tuple[Permission, ...]
    ttl_seconds: int = 90 * 24 * 3600
    user: str | None = None


class ApiToken(msgspec.Struct, frozen=True, kw_only=True):
    """An API token without its text, which only its owner saw, once. It can do at most what its owner can."""

    id: str
    name: str
    user: str
    permissions: tuple[Permission, ...]
    created_at: str
    expires_at: str
    used_at: str | None = None  # last, to the minute


class MadeToken(msgspec.Struct, frozen=True, kw_only=True):
    """A new API token with its text (`lsu_…`), shown this once."""

    token: str
    about: ApiToken


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody has signed in: by a session, whose cookie came with this answer, or with the token they asked for."""

    who: WhoAmI
    expires_at: str
    token: str | None = None
