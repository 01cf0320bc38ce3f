"""Stamps: short texts that only this control plane can have made, for what a browser carries and nobody else reads.

Also pseudonyms: how something is remembered that a person typed and that may be no name at all (people type passwords
into the wrong field), so that the database never holds it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from lineside.contract.errors import LinesideError
from lineside.server.adapters.files import write_atomic
from lineside.server.clock import Clock

_BYTES = 32


class Stamps:
    """Makes and reads them with a key of their own, R/keys/people.key, which is made at the first start and kept."""

    def __init__(self, keys: Path, clock: Clock) -> None:
        """Raises `access.key_damaged`."""
        self._clock = clock
        self._secret = _secret(keys / "people.key")
        self._key = OctKey.import_key(self._secret)

    def stamp(self, purpose: str, claims: dict[str, Any], seconds: int) -> str:
        """`claims` as a text that is good for `purpose` alone and for `seconds`. They can be read by who holds it."""
        expires = int(self._clock.now().timestamp()) + seconds
        return jwt.encode({"alg": "HS256"}, {**claims, "aud": purpose, "exp": expires}, self._key)

    def read(self, purpose: str, text: str | None) -> dict[str, Any] | None:
        """What was stamped; None when it was not made here, not for this, or has expired."""
        try:
            claims = dict(jwt.decode(text or "", self._key, algorithms=["HS256"]).claims)
        except (JoseError, ValueError):
            return None
        good = claims.get("aud") == purpose and claims.get("exp", 0) > self._clock.now().timestamp()
        return claims if good else None

    def pseudonym(self, *parts: str) -> str:
        """The same for the same parts, and nothing else can be said of it without the key. 64 hex digits."""
        text = "\x00".join(parts).encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()


def _secret(path: Path) -> bytes:
    if not path.exists():
        write_atomic(path, secrets.token_bytes(_BYTES), mode=0o600)
    secret = path.read_bytes()
    if len(secret) != _BYTES:
        raise LinesideError("access.key_damaged", file=path, why=f"it has {len(secret)} bytes, not {_BYTES}")
    return secret
