"""Access tokens: a device proves its key with a client assertion (RFC 7523) and gets a bearer token for ten minutes.

    device  --JWT, ES256, its own key, aud "lineside", jti-->  control plane
    device  <--JWT, HS256, the control plane's secret, aud "lineside-device"--  control plane

An assertion is good once: its `jti` is remembered until it would have expired anyway.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey
from joserfc.util import urlsafe_b64decode
from sqlalchemy.orm import Session

from lineside.contract.device import AccessToken, DeviceState
from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE
from lineside.server.access.store import forget_assertions, remember_assertions
from lineside.server.adapters.files import write_atomic
from lineside.server.clock import rfc3339
from lineside.server.services import Core

AUDIENCE, DEVICE_AUDIENCE = "lineside", "lineside-device"
MAX_LIFETIME = 300
"""Seconds an assertion may be good for; longer ones would have to be remembered for longer."""
FORGET = timedelta(minutes=1)
"""How often used assertions are looked through for those that have expired."""
VERIFIED = 20_000
"""How many access tokens are remembered as good, the newest: about 10 MB."""
MAX_EARLIER = 64
"""How many nonces of earlier requests an assertion may name."""


class Claims(msgspec.Struct, frozen=True):
    """What an assertion says."""

    iss: str
    sub: str
    aud: str
    exp: float
    jti: str
    iat: float | None = None
    count: int | None = None
    nonce: str | None = None
    earlier: list[str] = []


@dataclass(frozen=True)
class Proof:
    """What a good assertion says: whose it is, by which of the device's keys (PEM), and what it counts."""

    device: str
    key: str
    jti: str
    until: str  # when it may be forgotten
    count: int | None = None
    nonce: str | None = None
    earlier: tuple[str, ...] = ()


class AccessTokens:
    """Turns assertions into access tokens, and access tokens into device names."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._secret = OctKey.import_key(_secret(core.keys / "access-token.key"))
        self._verified: dict[str, tuple[str, float]] = {}  # whose, until when
        self._remembering = threading.Lock()
        self._forget_at = core.clock.now()

    def read(self, assertion: str) -> Claims:
        """What an assertion says, not verified yet. Raises `auth.assertion_invalid`."""
        named = _claims(_unverified_payload(assertion))
        if not (named.iss == named.sub and named.aud == AUDIENCE and 8 <= len(named.jti) <= 128):
            raise LinesideError("auth.assertion_invalid", why="it needs iss = sub, aud = lineside and a jti")
        nonces = (named.nonce or "", *named.earlier)
        if named.count is not None and not (0 <= named.count < 2**53 and _are_nonces(nonces)):
            raise LinesideError("auth.assertion_invalid", why="its count or one of its nonces is none")
        return named

    def prove(self, assertion: str, claims: Claims, keys: Sequence[str]) -> Proof:
        """Who signed an assertion, with which of a device's public keys (PEM). Whether it was used before, the caller
        finds out. Raises `auth.assertion_invalid`, `auth.assertion_expired`."""
        key = _signer(assertion, claims, keys)
        self._check_times(claims)
        return Proof(
            claims.sub, key, claims.jti, self._until(claims), claims.count, claims.nonce, tuple(claims.earlier)
        )

    def remember(self, session: Session, proofs: Sequence[Proof]) -> None:
        """These assertions are used up. Now and then those are forgotten that have expired."""
        now = self._core.clock.now()
        if now >= self._forget_at:
            forget_assertions(session, rfc3339(now))
            self._forget_at = now + FORGET
        remember_assertions(session, [(proof.device, proof.jti, proof.until) for proof in proofs])

    def issue(self, device: str, state: DeviceState = DeviceState.ACCEPTED) -> AccessToken:
        """An access token for a device that has proven who it is."""
        now, seconds = int(self._core.clock.now().timestamp()), self._core.settings.access_token_seconds
        claims = {"sub": device, "aud": DEVICE_AUDIENCE, "iat": now, "exp": now + seconds}
        token = jwt.encode({"alg": "HS256"}, claims, self._secret)
        return AccessToken(access_token=token, expires_in=seconds, state=state)

    def device_of(self, token: str) -> str:
        """The device an access token was made for. Raises `auth.token_invalid`, `auth.token_expired`.

        That its signature is good is remembered; what may have changed since is the caller's to look up.
        """
        device, expires = self._verified.get(token) or self._verify(token)
        if expires <= self._core.clock.now().timestamp():
            raise LinesideError("auth.token_expired")
        return device

    def _verify(self, token: str) -> tuple[str, float]:
        try:
            claims = jwt.decode(token, self._secret, algorithms=["HS256"]).claims
            device, audience, expires = str(claims["sub"]), claims["aud"], float(claims["exp"])
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise LinesideError("auth.token_invalid") from error
        if audience != DEVICE_AUDIENCE:
            raise LinesideError("auth.token_invalid")
        with self._remembering:
            while len(self._verified) >= VERIFIED:
                del self._verified[next(iter(self._verified))]
            self._verified[token] = device, expires
        return device, expires

    def _until(self, claims: Claims) -> str:
        leeway = timedelta(seconds=self._core.settings.clock_leeway_seconds)
        return rfc3339(datetime.fromtimestamp(claims.exp, UTC) + leeway)

    def _check_times(self, claims: Claims) -> None:
        now, leeway = self._core.clock.now(), self._core.settings.clock_leeway_seconds
        expires = claims.exp - now.timestamp()
        issued = (claims.iat or now.timestamp()) - now.timestamp()
        if expires <= -leeway or issued > leeway or expires > MAX_LIFETIME + leeway:
            raise LinesideError("auth.assertion_expired", now=rfc3339(now), limit=MAX_LIFETIME, leeway=leeway)


def _signer(assertion: str, claims: Claims, keys: Sequence[str]) -> str:
    for key in keys:
        try:
            token = jwt.decode(assertion, ECKey.import_key(key), algorithms=["ES256"])
        except (JoseError, ValueError):
            continue
        if _claims(msgspec.json.encode(token.claims)) == claims:
            return key
    raise LinesideError("auth.assertion_invalid", why="its signature is not by this device's key")


def _are_nonces(texts: Sequence[str]) -> bool:
    return len(texts) <= MAX_EARLIER + 1 and all(8 <= len(text) <= 64 for text in texts)


def _unverified_payload(assertion: str) -> bytes:
    parts = assertion.split(".")
    if len(parts) != 3:
        raise LinesideError("auth.assertion_invalid", why="it is not a JWT")
    try:
        return urlsafe_b64decode(parts[1].encode())
    except ValueError as error:
        raise LinesideError("auth.assertion_invalid", why="it is not a JWT") from error


def _claims(payload: bytes) -> Claims:
    try:
        return msgspec.json.decode(payload, type=Claims)
    except UNREADABLE as error:
        raise LinesideError("auth.assertion_invalid", why=error) from error


def _secret(path: Path) -> Any:
    """32 random bytes, the same after a restart, so that devices keep their tokens."""
    if not path.exists():
        write_atomic(path, secrets.token_bytes(32), mode=0o600)
    return path.read_bytes()
