"""Which keys a root has: those of a PKCS#11 token if joining was told so, else files."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import msgspec

from lineside.agent.durable import make_directories, write_atomically
from lineside.agent.keys.files import FileKeys
from lineside.agent.keys.port import KeyStore
from lineside.agent.keys.tokens import TokenFile, TokenKeys
from lineside.agent.keys.uri import parse
from lineside.agent.paths import Paths
from lineside.contract.errors import LinesideError

FILE = "file"
"""What `--key` says for a key in a file."""


def open_keys(paths: Paths) -> KeyStore:
    """The keys of a root."""
    file = _token_file(paths)
    return TokenKeys(file, paths.key) if file.exists() else FileKeys(paths.key.parent, paths.key.stem)


def mqtt_keys(paths: Paths) -> FileKeys:
    """Keys for the broker's TLS, which cannot use one in a token; `mqtt.key` in the same folder."""
    return FileKeys(paths.key.parent, "mqtt")


def choose(paths: Paths, key: str | None) -> KeyStore:
    """Decide where a joining device's key lies: a PKCS#11 URI, `file`, or None for what the root has (else a file).

    Raises `key.uri_invalid`, `key.pkcs11_missing`.
    """
    file = _token_file(paths)
    if key == FILE:
        file.unlink(missing_ok=True)
    elif key is not None:
        parse(key)
        if importlib.util.find_spec("pkcs11") is None:
            raise LinesideError("key.pkcs11_missing", uri=key.partition("?")[0])
        if not file.exists() or msgspec.json.decode(file.read_bytes(), type=TokenFile).uri != key:
            make_directories(file.parent)
            file.parent.chmod(0o700)
            write_atomically(file, msgspec.json.format(msgspec.json.encode(TokenFile(uri=key))), 0o600)
    return open_keys(paths)


def _token_file(paths: Paths) -> Path:
    return paths.key.parent / "token.json"
