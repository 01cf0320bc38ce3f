"""Access tokens: a device proves its key with a client assertion (RFC 7523) and gets a bearer token for ten minutes.

    device  --JWT, ES256, its own key, aud "lineside", jti-->  control plane
    device  <--JWT, HS256, the control plane's secret, aud "lineside-device"--  control plane

An assertion is good once: its `jti` is remembered until it would have expired anyway.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey
from joserfc.util import urlsafe_b64decode
from sqlalchemy.orm import Session

from lineside.contract.device import AccessToken
from lineside.contract.errors import LinesideError
from lineside.server.access.store import remember_assertion
from lineside.server.adapters.files import write_atomic
from lineside.server.clock import rfc3339
from lineside.server.services import Core

AUDIENCE, DEVICE_AUDIENCE = "lineside", "lineside-device"
MAX_LIFETIME = 300
"""Seconds an assertion may be good for; longer ones would have to be remembered for longer."""


class _Assertion(msgspec.Struct):
    iss: str
    sub: str
    aud: str
    exp: float
    jti: str
    iat: float | None = None


class AccessTokens:
    """Turns assertions into access tokens, and access tokens into device names."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._secret = OctKey.import_key(_secret(core.keys / "access-token.key"))

    def exchange(self, session: Session, assertion: str, key_of: Callable[[str], str]) -> AccessToken:
        """A new access token for the device that signed `assertion`.

        `key_of` gives a device's public key (PEM) or raises. Raises `auth.assertion_invalid`, `auth.assertion_expired`,
        `auth.assertion_replayed`.
        """
        claims = _verified(assertion, key_of)
        self._check_times(claims)
        leeway = timedelta(seconds=self._core.settings.clock_leeway_seconds)
        until = rfc3339(datetime.fromtimestamp(claims.exp, UTC) + leeway)
        if not remember_assertion(session, claims.sub, claims.jti, until, rfc3339(self._core.clock.now())):
            raise LinesideError("auth.assertion_replayed", device=claims.sub)
        return self.issue(claims.sub)

    def issue(self, device: str) -> AccessToken:
        """An access token for a device that has proven who it is."""
        now, seconds = int(self._core.clock.now().timestamp()), self._core.settings.access_token_seconds
        claims = {"sub": device, "aud": DEVICE_AUDIENCE, "iat": now, "exp": now + seconds}
        return AccessToken(access_token=jwt.encode({"alg": "HS256"}, claims, self._secret), expires_in=seconds)

    def device_of(self, token: str) -> str:
        """The device an access token was made for. Raises `auth.token_invalid`, `auth.token_expired`."""
        try:
            claims = jwt.decode(token, self._secret, algorithms=["HS256"]).claims
            device, audience, expires = str(claims["sub"]), claims["aud"], float(claims["exp"])
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise LinesideError("auth.token_invalid") from error
        if audience != DEVICE_AUDIENCE:
            raise LinesideError("auth.token_invalid")
        if expires <= self._core.clock.now().timestamp():
            raise LinesideError("auth.token_expired")
        return device

    def _check_times(self, claims: _Assertion) -> None:
        now, leeway = self._core.clock.now(), self._core.settings.clock_leeway_seconds
        expires = claims.exp - now.timestamp()
        issued = (claims.iat or now.timestamp()) - now.timestamp()
        if expires <= -leeway or issued > leeway or expires > MAX_LIFETIME + leeway:
            raise LinesideError("auth.assertion_expired", now=rfc3339(now), limit=MAX_LIFETIME, leeway=leeway)


def _verified(assertion: str, key_of: Callable[[str], str]) -> _Assertion:
    named = _claims(_unverified_payload(assertion))
    if not (named.iss == named.sub and named.aud == AUDIENCE and 8 <= len(named.jti) <= 128):
        raise LinesideError("auth.assertion_invalid", why="it needs iss = sub, aud = lineside and a jti")
    key = ECKey.import_key(key_of(named.sub))
    try:
        token = jwt.decode(assertion, key, algorithms=["ES256"])
    except (JoseError, ValueError) as error:
        raise LinesideError("auth.assertion_invalid", why="its signature is not by this device's key") from error
    return _claims(msgspec.json.encode(token.claims))


def _unverified_payload(assertion: str) -> bytes:
    parts = assertion.split(".")
    if len(parts) != 3:
        raise LinesideError("auth.assertion_invalid", why="it is not a JWT")
    try:
        return urlsafe_b64decode(parts[1].encode())
    except ValueError as error:
        raise LinesideError("auth.assertion_invalid", why="it is not a JWT") from error


def _claims(payload: bytes) -> _Assertion:
    try:
        return msgspec.json.decode(payload, type=_Assertion)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LinesideError("auth.assertion_invalid", why=error) from error


def _secret(path: Path) -> Any:
    """32 random bytes, the same after a restart, so that devices keep their tokens."""
    if not path.exists():
        write_atomic(path, secrets.token_bytes(32), mode=0o600)
    return path.read_bytes()
