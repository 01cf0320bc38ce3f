"""What a device signs to prove who it is: a client assertion (RFC 7523), good for a minute and for one use."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec

from lineside.agent.clock import Clock
from lineside.agent.keys.port import KeyStore
from lineside.agent.link.instance import Instance

_SECONDS = 60


class Identity:
    """One device's name, keys and count."""

    def __init__(self, device: str, keys: KeyStore, instance: Instance | None, clock: Clock) -> None:
        self._device = device
        self._keys = keys
        self._instance = instance
        self._clock = clock

    def assertion(self, key: str) -> str:
        """A new one by a key of this name. Raises `device.key_unusable`; OSError when its count cannot be kept."""
        now = int(self._clock.time())
        claims: dict[str, Any] = {
            "iss": self._device,
            "sub": self._device,
            "aud": "lineside",
            "iat": now,
            "exp": now + _SECONDS,
            "jti": uuid.uuid4().hex,
        }
        if self._instance is not None:
            claims |= msgspec.to_builtins(self._instance.next())
        return self._keys.sign(key, claims)

    def answered(self) -> None:
        """The newest assertion has had its answer."""
        if self._instance is not None:
            self._instance.answered()
