"""What is believed of an OpenID provider's answer: OpenID Connect Core 1.0, section 3.1.3.7, and no less."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from lineside.contract.errors import LinesideError
from lineside.contract.people import Role

_ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
"""Signatures by a key that the provider alone has: neither `none` nor any with a shared secret."""

_LEEWAY = 60.0  # seconds that the provider's clock may differ from ours
_LONGEST_SUBJECT = 255  # OpenID Connect Core 1.0, section 2


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What an ID token must say."""

    issuer: str
    client: str
    nonce: str = field(repr=False)
    now: float  # seconds since 1970


def believed(token: str, keys: KeySet, expected: Expected) -> dict[str, Any]:
    """The claims of an ID token that the provider made, for us, now, and for this very attempt to sign in. Raises
    `oidc.refused`; joserfc's `InvalidKeyIdError` when it names a key that is not among `keys`."""
    try:
        claims = dict(jwt.decode(token, keys, algorithms=list(_ALGORITHMS)).claims)
    except (JoseError, ValueError) as error:
        if type(error).__name__ == "InvalidKeyIdError":
            raise
        raise LinesideError("oidc.refused", why="the ID token is not signed by the provider") from error
    if why := _objection(claims, expected):
        raise LinesideError("oidc.refused", why=why)
    return claims


def _objection(claims: Mapping[str, Any], expected: Expected) -> str | None:
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    if claims.get("iss") != expected.issuer:
        return "the ID token is from another issuer"
    if expected.client not in audiences:
        return "the ID token is for somebody else"
    if claims.get("azp", expected.client if len(audiences) == 1 else None) != expected.client:
        return "the ID token was asked for by somebody else"
    expires, issued, begins = (_number(claims.get(name)) for name in ("exp", "iat", "nbf"))
    if expires is None or issued is None:
        return "the ID token does not say when it was made and expires"
    if expires <= expected.now - _LEEWAY:
        return "the ID token has expired"
    if issued > expected.now + _LEEWAY or (begins or 0) > expected.now + _LEEWAY:
        return "the ID token is from the future"
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        return "the ID token is of another attempt to sign in"
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= _LONGEST_SUBJECT:
        return "the ID token does not say for whom it is"
    return None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim; `realm_access.roles` is `roles` within `realm_access` unless there is a claim of that whole name."""
    if name in claims:
        return claims[name]
    outer, dot, inner = name.partition(".")
    within = claims.get(outer) if dot else None
    return claim(within, inner) if isinstance(within, Mapping) else None


def mapping(text: str) -> dict[str, Role]:
    """`line-leads=operator, it=admin` as a table; a group may have commas and equals signs (`cn=it,ou=works=admin`).
    Raises `start.setting_invalid`."""
    names = "|".join(role.value for role in Role)
    pattern = re.compile(rf"\s*(.+?)\s*=\s*({names})\s*(?:,|$)")
    found: dict[str, Role] = {}
    position = 0
    while position < len(text):
        match = pattern.match(text, position)
        if match is None:
            raise LinesideError("start.setting_invalid", why=f"--oidc-roles: {text[position:]!r} is not GROUP=ROLE")
        found[match[1]] = Role(match[2])
        position = match.end()
    return found


def roles_of(groups: Any, table: Mapping[str, Role]) -> tuple[Role, ...]:
    """The roles that somebody's groups give; what is no group that is mapped gives none."""
    listed = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
    given = {table[group] for group in listed if isinstance(group, str) and group in table}
    return tuple(role for role in Role if role in given)
