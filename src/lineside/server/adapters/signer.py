"""Signing keys. In developer mode every role's private key is a file on this machine, readable by its owner only."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner, Signer, SSlibKey

from lineside.contract.errors import LinesideError
from lineside.server.adapters.files import write_atomic


class KeyRing(Protocol):
    """Where a role's signer comes from. A fleet that keeps approval keys elsewhere gives another one."""

    def signer(self, role: str) -> Signer:
        """The signer of a TUF role, the same key each time."""
        ...


class KeyFiles:
    """Ed25519 keys, one PEM file (PKCS #8) a role, mode 0600; made when first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def signer(self, role: str) -> Signer:
        """The role's signer. Raises `trust.key_damaged` when the file is not a private key."""
        path = self._folder / f"tuf-{role}.pem"
        with contextlib.suppress(FileNotFoundError):
            return _load(path, path.read_bytes())
        made = CryptoSigner.generate_ed25519()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(path, made.private_bytes, mode=0o600)
        return made


def _load(path: Path, pem: bytes) -> Signer:
    try:
        private = load_pem_private_key(pem, None)
        return CryptoSigner(private, SSlibKey.from_crypto(private.public_key()))
    except (ValueError, TypeError) as error:
        raise LinesideError("trust.key_damaged", file=path.name, why=error) from error
