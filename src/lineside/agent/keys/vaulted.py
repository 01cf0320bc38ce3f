"""What every key store asks of the vault's child, wherever its keys lie."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from lineside.agent.keys.port import CURRENT, Box
from lineside.agent.link import vault
from lineside.contract.sealing import Sealed


class VaultedKeys(ABC):
    """The part of the `KeyStore` port that needs no more than to know where a key lies."""

    def public(self, name: str) -> str:
        """See `KeyStore.public`."""
        return vault.public(self._reference(name))

    def request(self, name: str, common_name: str) -> str:
        """See `KeyStore.request`."""
        return vault.request(self._reference(name), common_name)

    def sign(self, name: str, claims: dict[str, Any]) -> str:
        """See `KeyStore.sign`."""
        return vault.sign(self._reference(name), claims)

    def seal(self, plain: bytes, about: str) -> Sealed:
        """See `KeyStore.seal`."""
        return vault.seal(self._reference(CURRENT), plain, about)

    def open(self, sealed: Sealed, about: str) -> bytes:
        """See `KeyStore.open`."""
        return vault.unseal(self._references(), sealed, about)

    def reseal(self, boxes: Sequence[Box]) -> list[Sealed]:
        """See `KeyStore.reseal`."""
        return vault.reseal(self._references(), boxes)

    @abstractmethod
    def _reference(self, name: str) -> vault.Reference:
        """Where a key lies. Raises `device.key_unusable`."""

    @abstractmethod
    def _references(self) -> list[vault.Reference]:
        """Every key that something may have been sealed for."""
