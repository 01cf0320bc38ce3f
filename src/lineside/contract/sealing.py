"""Sealed boxes: bytes that only the holder of one P-256 key can read, and that nobody can pass off as something else.

    ephemeral P-256 key ─ECDH─ recipient's key ─HKDF-SHA256─► AES-256-GCM key, used for this box alone

The HKDF's info is `lineside sealed box 1` and both public points (so that a box is bound to its recipient); the GCM's
associated data is `about`, which says what the box holds: a box that is moved under another name does not open.
ECIES as in SEC 1 version 2.0, section 5.1, with a KDF and a cipher of today.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

_INFO = b"lineside sealed box 1"
_NONCE_BYTES = 12


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """A box. As JSON its bytes are base64."""

    key: str  # fingerprint of the public key that it is for
    point: bytes  # the ephemeral public key, 65 bytes (X9.62, uncompressed)
    nonce: bytes
    data: bytes  # ciphertext and tag


def fingerprint(public: ec.EllipticCurvePublicKey) -> str:
    """What a public key is called: SHA-256 of its DER SubjectPublicKeyInfo, 64 hex digits."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def seal(public: ec.EllipticCurvePublicKey, plain: bytes, about: bytes) -> Sealed:
    """A box for the holder of `public` (P-256)."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    own = ec.generate_private_key(ec.SECP256R1())
    point, nonce = _point(own.public_key()), os.urandom(_NONCE_BYTES)
    key = _derived(own.exchange(ec.ECDH(), public), point, _point(public))
    return Sealed(key=fingerprint(public), point=point, nonce=nonce, data=AESGCM(key).encrypt(nonce, plain, about))


def unseal(box: Sealed, about: bytes, public: ec.EllipticCurvePublicKey, agree: Callable[[bytes], bytes]) -> bytes:
    """What is in a box. `agree` is ECDH with the private half of `public`: a peer's point to the shared 32 bytes.

    Raises ValueError when the box is for another key, holds something else than `about`, or was changed.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if box.key != fingerprint(public):
        raise ValueError("it is sealed for another key")
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), box.point)  # a point of the curve, or ValueError
    key = _derived(agree(box.point), box.point, _point(public))
    try:
        return AESGCM(key).decrypt(box.nonce, box.data, about)
    except InvalidTag as error:
        raise ValueError("it was changed, or it was sealed as something else") from error


def _point(public: ec.EllipticCurvePublicKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _derived(shared: bytes, ephemeral: bytes, recipient: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), 32, salt=None, info=_INFO + ephemeral + recipient).derive(shared)
