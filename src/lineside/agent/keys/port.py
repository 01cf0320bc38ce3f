"""What the agent asks of the device's keys; where they lie is no business of whoever asks.

A device has one key, `current`. While it changes it there are two: `next` is made and certified, then promoted. The one
before stays as `previous` until nothing is sealed for it any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from lineside.contract.sealing import Sealed

CURRENT, NEXT, PREVIOUS = "current", "next", "previous"
NAMES = (CURRENT, NEXT, PREVIOUS)


class KeyMissing(ValueError):
    """There is no such key. Only the short-lived process sees it."""


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed box, and what it was sealed as."""

    sealed: Sealed
    about: str


class KeyStore(Protocol):
    """P-256 keys by name. Whatever needs a private key, or cryptography at all, happens in a short-lived process.

    Every method but `exists` and `file` may raise `device.key_unusable`; that there is no such key is one reason.
    """

    def exists(self, name: str) -> bool:
        """Whether there is a key of this name."""
        ...

    def make(self, name: str) -> None:
        """Make a key; one that is there stays."""
        ...

    def public(self, name: str) -> str:
        """The public half, PEM."""
        ...

    def request(self, name: str, common_name: str) -> str:
        """A certificate signing request by this key for CN=`common_name`, PEM."""
        ...

    def sign(self, name: str, claims: dict[str, Any]) -> str:
        """A JWT over claims (ES256)."""
        ...

    def seal(self, plain: bytes, about: str) -> Sealed:
        """A box for the current key."""
        ...

    def open(self, sealed: Sealed, about: str) -> bytes:
        """What is in a box, whichever of the keys it is for."""
        ...

    def reseal(self, boxes: Sequence[Box]) -> list[Sealed]:
        """The same boxes for the current key; what is in them is seen by the short-lived process alone."""
        ...

    def promote(self) -> None:
        """`next` becomes `current`, which becomes `previous`. Without a `next` nothing happens, so that it can be
        repeated after a power cut."""
        ...

    def discard(self, name: str) -> None:
        """Destroy a key, if it is there."""
        ...

    def file(self, name: str) -> Path | None:
        """The PEM file of the private key, for TLS; None when it is in a token."""
        ...
