"""Private keys of signers: files on the machine where they sign. Nothing here sends one anywhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey

from lineside.contract.errors import LinesideError

Passphrase = Callable[[Path], str]
"""Asks for the passphrase of a key file."""


def make(file: Path, passphrase: str | None = None) -> str:
    """Make an Ed25519 key: the private half in `file` (PEM, PKCS #8, 0600), the public one in `file`.pub.

    Answers the public half as PEM. Raises `trust.key_file_exists`, `trust.key_file`.
    """
    key = Ed25519PrivateKey.generate()
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
        public_file(file).write_bytes(public)
    except FileExistsError as error:
        raise LinesideError("trust.key_file_exists", file=file) from error
    except OSError as error:
        raise LinesideError("trust.key_file", file=file, why=error.strerror or error) from error
    return public.decode()


def _write_new(file: Path, private: bytes) -> None:
    """The whole key under its name, or nothing: half a key file would stand in the way of the next try."""
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(private)
            opened.flush()
            os.fsync(opened.fileno())
        if file.exists():  # it is never written over
            raise FileExistsError
        part.rename(file)  # not a link, which sticks with FAT do not know
    finally:
        part.unlink(missing_ok=True)


def public_file(file: Path) -> Path:
    """Where the public half of a key file lies."""
    return file.with_name(file.name + ".pub")


def read_public(file: Path) -> str:
    """A public key as PEM text. Raises `trust.key_file`."""
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise LinesideError("trust.key_file", file=file, why=error) from error


def load(file: Path, passphrase: Passphrase) -> CryptoSigner:
    """A signer from a key file; `passphrase` is asked only when the file is encrypted. Raises `trust.key_file`."""
    try:
        pem = file.read_bytes()
        try:
            key = load_pem_private_key(pem, None)
        except TypeError:  # it is encrypted
            key = load_pem_private_key(pem, passphrase(file).encode())
    except OSError as error:
        raise LinesideError("trust.key_file", file=file, why=error.strerror or error) from error
    except (ValueError, TypeError) as error:
        raise LinesideError("trust.key_file", file=file, why="it is no key, or the passphrase is another") from error
    if isinstance(key, EllipticCurvePrivateKey):
        if not isinstance(key.curve, SECP256R1):
            raise LinesideError("trust.key_file", file=file, why=f"its curve is {key.curve.name}")
    elif not isinstance(key, Ed25519PrivateKey):
        raise LinesideError("trust.key_file", file=file, why="it is neither Ed25519 nor ECDSA")
    return CryptoSigner(key, SSlibKey.from_crypto(key.public_key()))


def id_of(public: str) -> str:
    """The id of a public key as PEM. Raises `trust.key_file`."""
    try:
        usual = load_pem_public_key(public.encode()).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return SSlibKey.from_crypto(load_pem_public_key(usual)).keyid
    except ValueError as error:
        raise LinesideError("trust.key_file", file="of a public key", why=error) from error


def public_of(signer: CryptoSigner) -> str:
    """The public half of a signer as PEM."""
    key = load_pem_private_key(signer.private_bytes, None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
