"""Versions of a secret and their labels. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineside.contract.secret import CURRENT, PREVIOUS, SecretVersion


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A value as it is stored: AES-256-GCM, the key by its id, name and version as associated data."""

    key: str
    nonce: bytes
    data: bytes


class KeptVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version with its sealed value."""

    id: str
    stages: tuple[str, ...]
    set_at: str
    set_by: str
    kept: Kept

    def shown(self) -> SecretVersion:
        """Without the value."""
        return SecretVersion(id=self.id, stages=self.stages, set_at=self.set_at, set_by=self.set_by)


def with_newest(new: KeptVersion, before: Sequence[KeptVersion]) -> tuple[KeptVersion, ...]:
    """Versions after a new one came, newest first: it is current, the one before is previous, older ones are gone."""
    previous = (msgspec.structs.replace(one, stages=(PREVIOUS,)) for one in before if CURRENT in one.stages)
    return (msgspec.structs.replace(new, stages=(CURRENT,)), *previous)
