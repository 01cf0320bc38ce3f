"""Keys in PEM files for their owner only: device.key, device-next.key, device-previous.key."""

from __future__ import annotations

import os
from pathlib import Path

from lineside.agent.durable import make_directories, sync_directory, write_atomically
from lineside.agent.keys.port import CURRENT, NEXT, PREVIOUS
from lineside.agent.keys.vaulted import VaultedKeys
from lineside.agent.link import vault


class FileKeys(VaultedKeys):
    """The `KeyStore` port over the files `STEM.key`, `STEM-next.key` and `STEM-previous.key` of a folder."""

    def __init__(self, folder: Path, stem: str = "device") -> None:
        self._folder = folder
        self._stem = stem

    def exists(self, name: str) -> bool:
        """See `KeyStore.exists`."""
        return self.file(name).exists()

    def make(self, name: str) -> None:
        """See `KeyStore.make`."""
        if self.exists(name):
            return
        pem = vault.make(self._reference(name))
        make_directories(self._folder)
        self._folder.chmod(0o700)
        write_atomically(self.file(name), pem.encode(), 0o600)

    def promote(self) -> None:
        """See `KeyStore.promote`. The key that was current has two names for a moment, but never none."""
        if not self.exists(NEXT):
            return
        if self.exists(CURRENT):
            aside = self.file(PREVIOUS).with_suffix(".tmp")
            aside.unlink(missing_ok=True)
            os.link(self.file(CURRENT), aside)
            aside.replace(self.file(PREVIOUS))
            aside.unlink(missing_ok=True)  # rename(2) leaves it when both are links to one file: a repeated try
        sync_directory(self._folder)
        self.file(NEXT).replace(self.file(CURRENT))
        sync_directory(self._folder)

    def discard(self, name: str) -> None:
        """See `KeyStore.discard`."""
        self.file(name).unlink(missing_ok=True)
        if self._folder.is_dir():
            sync_directory(self._folder)

    def file(self, name: str) -> Path:
        """See `KeyStore.file`."""
        return self._folder / f"{self._stem}{'' if name == CURRENT else f'-{name}'}.key"

    def _reference(self, name: str) -> vault.Reference:
        return vault.Reference(path=str(self.file(name)))

    def _references(self) -> list[vault.Reference]:
        """In the order in which a promotion moves them, so that whoever reads one after the other misses none."""
        return [self._reference(name) for name in (CURRENT, NEXT, PREVIOUS)]
