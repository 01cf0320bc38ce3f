"""The key that secrets are stored with: R/keys/secrets.key, for its owner only; one line a key, the newest last.

    ID BASE64OF32BYTES

While the key is changed there are two lines, so that a power cut at any moment leaves every secret readable.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Collection
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lineside.contract.errors import LinesideError
from lineside.contract.secret import about
from lineside.server.adapters.files import write_atomic
from lineside.server.secrets.model import Kept

_KEY_BYTES, _NONCE_BYTES, _ID_BYTES = 32, 12, 4


class SecretKeys:
    """The keys of a file."""

    def __init__(self, path: Path) -> None:
        """A file that is not there is made now, not at its first use: control planes on one database have it in common,
        and it is copied after the first start."""
        self._path = path
        if not path.exists():
            self.add()

    def seal(self, name: str, version: str, plain: bytes) -> Kept:
        """Seal with the newest key."""
        keys = self._read()
        id = list(keys)[-1] if keys else self.add()
        nonce = os.urandom(_NONCE_BYTES)
        data = AESGCM(self._read()[id]).encrypt(nonce, plain, about(name, version).encode())
        return Kept(key=id, nonce=nonce, data=data)

    def open(self, name: str, version: str, kept: Kept) -> bytes:
        """The value. Raises `secret.key_lost`."""
        key = self._read().get(kept.key)
        try:
            if key is not None:
                return AESGCM(key).decrypt(kept.nonce, kept.data, about(name, version).encode())
        except InvalidTag:
            pass  # a key of the same id that is another: no better than none
        raise LinesideError("secret.key_lost", name=name, path=self._path)

    def add(self) -> str:
        """Make a new key, which is used from now on; its id."""
        keys = self._read()
        id = secrets.token_hex(_ID_BYTES)
        keys[id] = secrets.token_bytes(_KEY_BYTES)
        self._write(keys)
        return id

    def keep_only(self, used: Collection[str]) -> None:
        """Forget keys that nothing is sealed with, but for the newest."""
        keys = self._read()
        left = {id: key for id, key in keys.items() if id in used or id == list(keys)[-1]}
        if left != keys:
            self._write(left)

    def _read(self) -> dict[str, bytes]:
        try:
            lines = self._path.read_text().splitlines()
        except FileNotFoundError:
            return {}
        return {id: base64.b64decode(key) for id, key in (line.split() for line in lines)}

    def _write(self, keys: dict[str, bytes]) -> None:
        text = "".join(f"{id} {base64.b64encode(key).decode()}\n" for id, key in keys.items())
        write_atomic(self._path, text.encode(), mode=0o600)
