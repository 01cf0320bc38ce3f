"""What the short-lived process does with keys; never imported by the resident agent."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from lineside.agent.keys.port import Box, KeyMissing
from lineside.agent.link.vault import Answer, Reference, Request
from lineside.contract.sealing import Sealed, fingerprint, seal, unseal

_HALF = 32  # bytes of r and of s in an ES256 signature (RFC 7518, section 3.4)


def _make(asked: Request) -> Answer:
    (key,) = asked.keys
    if key.uri:
        from lineside.agent.keys import pkcs11_token

        pkcs11_token.make(key)
        return Answer()
    new = ec.generate_private_key(ec.SECP256R1())
    return Answer(text=new.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def _find(asked: Request) -> Answer:
    from lineside.agent.keys import pkcs11_token

    return Answer(text=pkcs11_token.find(asked.keys[0]))


def _destroy(asked: Request) -> Answer:
    from lineside.agent.keys import pkcs11_token

    pkcs11_token.destroy(asked.keys[0])
    return Answer()


def _public(asked: Request) -> Answer:
    with ExitStack() as stack:
        public = _opened(asked.keys[0], stack).public_key()
        return Answer(text=public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def _request(asked: Request) -> Answer:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, asked.name)])
    with ExitStack() as stack:
        key = _opened(asked.keys[0], stack)
        made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256())
        return Answer(text=made.public_bytes(Encoding.PEM).decode())


def _sign(asked: Request) -> Answer:
    parts = [_base64url(msgspec.json.encode(part)) for part in ({"typ": "JWT", "alg": "ES256"}, asked.claims)]
    with ExitStack() as stack:
        key = _opened(asked.keys[0], stack)
        r, s = decode_dss_signature(key.sign(".".join(parts).encode(), ec.ECDSA(SHA256())))
    return Answer(text=".".join([*parts, _base64url(r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big"))]))


def _seal(asked: Request) -> Answer:
    with ExitStack() as stack:
        public = _opened(asked.keys[0], stack).public_key()
        return Answer(boxes=(seal(public, asked.plain, asked.name.encode()),))


def _unseal(asked: Request) -> Answer:
    with ExitStack() as stack:
        keys = _there(asked.keys, stack)
        return Answer(plain=_in(asked.boxes[0], keys))


def _reseal(asked: Request) -> Answer:
    with ExitStack() as stack:
        public = _opened(asked.keys[0], stack).public_key()
        keys = _there(asked.keys, stack)
        current = fingerprint(public)
        return Answer(boxes=tuple(_anew(box, keys, public, current) for box in asked.boxes))


def _certificate(asked: Request) -> Answer:
    found = x509.load_pem_x509_certificate(Path(asked.path).read_bytes())
    return Answer(
        not_before=found.not_valid_before_utc.timestamp(),
        not_after=found.not_valid_after_utc.timestamp(),
        text=found.subject.rfc4514_string(),
    )


def _anew(
    box: Box, keys: Sequence[ec.EllipticCurvePrivateKey], public: ec.EllipticCurvePublicKey, current: str
) -> Sealed:
    """A box for the current key; one that cannot be opened stays as it is, and is no reason to keep an old key."""
    if box.sealed.key == current:
        return box.sealed
    try:
        plain = _in(box, keys)
    except ValueError:
        return box.sealed
    return seal(public, plain, box.about.encode())


def _in(box: Box, keys: Sequence[ec.EllipticCurvePrivateKey]) -> bytes:
    """What is in a box, by whichever of the keys it is for."""
    for key in keys:
        public = key.public_key()
        if fingerprint(public) == box.sealed.key:

            def agree(point: bytes, key: ec.EllipticCurvePrivateKey = key) -> bytes:
                return key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))

            return unseal(box.sealed, box.about.encode(), public, agree)
    raise ValueError("it is sealed for another key")


def _there(keys: Sequence[Reference], stack: ExitStack) -> list[ec.EllipticCurvePrivateKey]:
    """Those of these keys that there are; the names of keys change hands while a box is opened."""
    found = []
    for key in keys:
        with suppress(FileNotFoundError, KeyMissing):
            found.append(_opened(key, stack))
    return found


def _opened(key: Reference, stack: ExitStack) -> ec.EllipticCurvePrivateKey:
    """A key that can be used until the stack is left."""
    if key.uri:
        from lineside.agent.keys import pkcs11_token

        return stack.enter_context(pkcs11_token.opened(key))
    found = load_pem_private_key(Path(key.path).read_bytes(), password=None)
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
        raise ValueError("it is not a P-256 key")
    return found


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


ACTS: dict[str, Callable[[Request], Answer]] = {
    "make": _make,
    "find": _find,
    "destroy": _destroy,
    "public": _public,
    "request": _request,
    "sign": _sign,
    "seal": _seal,
    "unseal": _unseal,
    "reseal": _reseal,
    "certificate": _certificate,
}
