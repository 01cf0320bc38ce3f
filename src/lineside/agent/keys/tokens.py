"""Keys in a PKCS#11 token: a small file says which object of it is `current`, `next` and `previous`.

Promoting a key is one rename of that file. A key's id is written down before the key is made, so that a power cut in
between leaves no key in the token that nobody knows. A key in a file that the device had before counts as `previous`:
it opens what was sealed for it until that has been sealed anew, and is then destroyed.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec

from lineside.agent.durable import write_atomically
from lineside.agent.keys.port import CURRENT, NAMES, NEXT, PREVIOUS
from lineside.agent.keys.vaulted import VaultedKeys
from lineside.agent.link import vault
from lineside.agent.link.error import LinkError
from lineside.contract.reading import UNREADABLE

_ID_BYTES = 16


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One key: its CKA_ID in hex, and whether it has been made."""

    id: str
    made: bool


class TokenFile(msgspec.Struct, frozen=True, kw_only=True):
    """What is on disk. The URI says where the PIN's file is; no PIN is in it."""

    uri: str
    slots: dict[str, Slot] = {}


class TokenKeys(VaultedKeys):
    """The `KeyStore` port over a token."""

    def __init__(self, file: Path, before: Path) -> None:
        """`file` says which objects; `before` is where a key in a file would be."""
        self._file = file
        self._before = before

    def exists(self, name: str) -> bool:
        """See `KeyStore.exists`: as far as is written down; the token itself is not asked."""
        slot = self._read().slots.get(name)
        return (slot is not None and slot.made) or (name == PREVIOUS and self._before.exists())

    def make(self, name: str) -> None:
        """See `KeyStore.make`. The first key is one that the URI names already, if the token has it."""
        if self.exists(name):
            return
        file = self._read()
        slot = file.slots.get(name)
        if slot is None:
            id = vault.find(vault.Reference(uri=file.uri)) if name == CURRENT else ""
            slot = Slot(id=id or secrets.token_hex(_ID_BYTES), made=bool(id))
            self._keep(name, slot)
        vault.make(self._reference(name))
        self._keep(name, msgspec.structs.replace(slot, made=True))

    def promote(self) -> None:
        """See `KeyStore.promote`."""
        if not self.exists(NEXT):
            return
        file = self._read()
        slots = {name: slot for name, slot in file.slots.items() if name not in (NEXT, PREVIOUS)}
        if CURRENT in slots:
            slots[PREVIOUS] = slots[CURRENT]
        slots[CURRENT] = file.slots[NEXT]
        self._write(msgspec.structs.replace(file, slots=slots))

    def discard(self, name: str) -> None:
        """See `KeyStore.discard`."""
        if name == PREVIOUS:
            self._before.unlink(missing_ok=True)
        file = self._read()
        if name not in file.slots:
            return
        vault.destroy(self._reference(name))
        left = {other: slot for other, slot in file.slots.items() if other != name}
        self._write(msgspec.structs.replace(file, slots=left))

    def file(self, name: str) -> Path | None:
        """See `KeyStore.file`."""
        return None

    def _reference(self, name: str) -> vault.Reference:
        file = self._read()
        slot = file.slots.get(name)
        if slot is None and name == PREVIOUS and self._before.exists():
            return vault.Reference(path=str(self._before))
        if slot is None:
            raise LinkError("device.key_unusable", path=file.uri.partition("?")[0], why=f"it has no {name} key")
        return vault.Reference(uri=file.uri, id=slot.id)

    def _references(self) -> list[vault.Reference]:
        file = self._read()
        found = [vault.Reference(uri=file.uri, id=file.slots[name].id) for name in NAMES if name in file.slots]
        return [*found, vault.Reference(path=str(self._before))]

    def _keep(self, name: str, slot: Slot) -> None:
        file = self._read()
        self._write(msgspec.structs.replace(file, slots=file.slots | {name: slot}))

    def _read(self) -> TokenFile:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=TokenFile)
        except (OSError, *UNREADABLE) as error:
            raise LinkError("device.key_unusable", path=self._file, why=error) from error

    def _write(self, file: TokenFile) -> None:
        write_atomically(self._file, msgspec.json.format(msgspec.json.encode(file)), 0o600)
