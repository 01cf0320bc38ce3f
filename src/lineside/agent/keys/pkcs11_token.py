"""Keys in a PKCS#11 token, used by the short-lived process: the private half is made in the token and stays there.

python-pkcs11 (MIT) speaks to the token's module (PKCS#11 2.40: CKM_EC_KEY_PAIR_GEN, CKM_ECDSA, CKM_ECDH1_DERIVE).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.util.ec import encode_named_curve_parameters

from lineside.agent.keys.port import KeyMissing
from lineside.agent.keys.uri import TokenUri, parse
from lineside.agent.link.vault import Reference

_SHARED_BITS = 256


class TokenKey(ec.EllipticCurvePrivateKey):
    """A token's key as cryptography sees private keys, so that one code makes requests, tokens and boxes with both."""

    def __init__(self, private: Any, public: ec.EllipticCurvePublicKey) -> None:
        self._private = private
        self._public = public

    @property
    def curve(self) -> ec.EllipticCurve:
        """P-256."""
        return ec.SECP256R1()

    @property
    def key_size(self) -> int:
        """Bits."""
        return self.curve.key_size

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The public half."""
        return self._public

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """ECDSA over SHA-256, in DER; the digest is made here, since few tokens hash by themselves."""
        raw = self._private.sign(hashlib.sha256(data).digest(), mechanism=Mechanism.ECDSA)
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        """ECDH in the token; what comes out is a session object that may be read once and never stored."""
        if not hasattr(self._private, "derive_key"):  # python-pkcs11 gives a key only the methods that it allows
            raise ValueError("the token refuses: this key may sign and not derive (CKA_DERIVE)")
        point = peer_public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        shared = self._private.derive_key(
            KeyType.GENERIC_SECRET,
            _SHARED_BITS,
            mechanism=Mechanism.ECDH1_DERIVE,
            mechanism_param=(pkcs11.KDF.NULL, None, point),
            template={Attribute.EXTRACTABLE: True, Attribute.SENSITIVE: False},
            store=False,
        )
        return bytes(shared[Attribute.VALUE])

    def private_numbers(self) -> NoReturn:
        """Never."""
        raise ValueError("a key in a token cannot be read")

    def private_bytes(self, *args: object) -> NoReturn:
        """Never."""
        raise ValueError("a key in a token cannot be read")

    def __copy__(self) -> TokenKey:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> TokenKey:
        return self


@contextmanager
def opened(key: Reference) -> Iterator[TokenKey]:
    """A key, with the session that it needs. Raises ValueError."""
    with _session(parse(key.uri)) as session:
        private, public = (_object(session, kind, key.id) for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY))
        if private is None or public is None:
            raise KeyMissing("the token has no such key")
        yield TokenKey(private, _point(public))


def make(key: Reference) -> None:
    """A new P-256 key with the id `key.id`; one that is there stays. It can never leave the token."""
    uri, id = parse(key.uri), bytes.fromhex(key.id)
    with _session(uri, writing=True) as session:
        if _object(session, ObjectClass.PRIVATE_KEY, key.id) is not None:
            return
        curve = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
        session.create_domain_parameters(KeyType.EC, curve, local=True).generate_keypair(
            store=True,
            id=id,
            label=uri.object,
            mechanism=Mechanism.EC_KEY_PAIR_GEN,
            capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY | MechanismFlag.DERIVE,
            private_template={Attribute.EXTRACTABLE: False, Attribute.SENSITIVE: True},
        )


def find(key: Reference) -> str:
    """The id of the private EC key that the URI names; "" if there is none. Raises ValueError when it names several."""
    uri = parse(key.uri)
    wanted: dict[Attribute, Any] = {
        Attribute.CLASS: ObjectClass.PRIVATE_KEY,
        Attribute.KEY_TYPE: KeyType.EC,
        Attribute.LABEL: uri.object,
    }
    if uri.id is not None:
        wanted[Attribute.ID] = uri.id
    with _session(uri) as session:
        found = [bytes(one[Attribute.ID]).hex() for one in session.get_objects(wanted)]
    if len(found) > 1:
        raise ValueError(f"it names {len(found)} keys; say which with id=")
    return found[0] if found else ""


def destroy(key: Reference) -> None:
    """Remove both halves, as far as they are there."""
    with _session(parse(key.uri), writing=True) as session:
        for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
            found = _object(session, kind, key.id)
            if found is not None:
                found.destroy()


@contextmanager
def _session(uri: TokenUri, writing: bool = False) -> Iterator[Any]:
    """A session as the token's user. Whatever the module refuses is a ValueError that says so."""
    try:
        token = _token(uri)
        pin = uri.pin_file.read_text().strip() if uri.pin_file else None
        with _logged_in(token, pin, writing) as session:
            yield session
    except (pkcs11.PKCS11Error, RuntimeError) as error:
        raise ValueError(f"the token refuses: {type(error).__name__} {error}".strip()) from error


def _logged_in(token: Any, pin: str | None, writing: bool) -> Any:
    """A login is the whole process's: with a second key of the same token it is there already."""
    try:
        return token.open(rw=writing, user_pin=pin)
    except pkcs11.UserAlreadyLoggedIn:
        return token.open(rw=writing)


def _token(uri: TokenUri) -> Any:
    wanted = (("label", uri.label), ("manufacturer", uri.manufacturer), ("model", uri.model), ("serial", uri.serial))
    found = []
    for token in pkcs11.lib(uri.module).get_tokens():
        said = {
            "label": token.label,
            "manufacturer": token.manufacturer_id,
            "model": token.model,
            "serial": bytes(token.serial).decode(errors="replace"),
        }
        if all(value is None or str(said[name]).strip() == value for name, value in wanted):
            found.append(token)
    if len(found) != 1:
        raise ValueError(f"{len(found)} tokens match")
    return found[0]


def _object(session: Any, kind: ObjectClass, id: str) -> Any:
    return next(iter(session.get_objects({Attribute.CLASS: kind, Attribute.ID: bytes.fromhex(id)})), None)


def _point(public: Any) -> ec.EllipticCurvePublicKey:
    """CKA_EC_POINT is a DER octet string around the point; some modules give the point alone."""
    raw = bytes(public[Attribute.EC_POINT])
    if raw[:2] == b"\x04\x41":
        raw = raw[2:]
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
