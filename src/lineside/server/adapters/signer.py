"""Signing keys that lie on this machine: files readable by their owner only.

In developer trust every role has one here. In offline trust only the online roles do (snapshot, timestamp, staging);
a role's file that is gone stays gone: nothing makes another in its place unless it is asked to.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner, Signer, SSlibKey

from lineside.contract.errors import LinesideError
from lineside.server.adapters.files import write_atomic


class KeyRing(Protocol):
    """Where signers come from."""

    def signers(self, role: str) -> list[Signer]:
        """The private keys kept here for a TUF role; whether metadata trusts them is for others to say."""
        ...

    def make(self, role: str) -> Signer:
        """A new private key for a role, kept beside those there are."""
        ...

    def forget(self, key: str) -> None:
        """Delete the private key with this id, wherever it is kept; none is there is well, too."""
        ...


class KeyFiles:
    """Ed25519 keys in PEM files (PKCS #8), mode 0600: tuf-ROLE.pem, further ones tuf-ROLE-XXXXXXXX.pem."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def signers(self, role: str) -> list[Signer]:
        """The role's signers. Raises `trust.key_damaged` when a file is not a private key."""
        return [signer for _, signer in self._files(role)]

    def make(self, role: str) -> Signer:
        """A new key in a file of its own."""
        made = CryptoSigner.generate_ed25519()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        plain = self._folder / f"tuf-{role}.pem"
        path = self._folder / f"tuf-{role}-{made.public_key.keyid[:8]}.pem" if plain.exists() else plain
        write_atomic(path, made.private_bytes, mode=0o600)
        return made

    def forget(self, key: str) -> None:
        """Delete the files that hold this key. Raises `trust.key_damaged`."""
        for path, signer in self._files("*"):
            if signer.public_key.keyid == key:
                path.unlink(missing_ok=True)

    def _files(self, role: str) -> list[tuple[Path, Signer]]:
        paths = {path for pattern in (f"tuf-{role}.pem", f"tuf-{role}-*.pem") for path in self._folder.glob(pattern)}
        found = []
        for path in sorted(paths):
            with contextlib.suppress(FileNotFoundError):
                found.append((path, _load(path, path.read_bytes())))
        return found


def _load(path: Path, pem: bytes) -> Signer:
    try:
        private = load_pem_private_key(pem, None)
        return CryptoSigner(private, SSlibKey.from_crypto(private.public_key()))
    except (ValueError, TypeError) as error:
        raise LinesideError("trust.key_damaged", file=path.name, why=error) from error
