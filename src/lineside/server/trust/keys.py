"""Keys as people see them: whose they are, and which a file of a proposal asks for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from securesystemslib.signer import Key, SSlibKey

from lineside.contract.ceremony import KEY_NAME, ProposedFile, TrustKey
from lineside.contract.errors import LinesideError
from lineside.server.adapters.tuf.signed import of_text
from lineside.server.adapters.tuf.state import State

HERE = "this control plane"
"""Whose a key is that lies here and has no name."""
_LONGEST_NAME = 100


def public_key(pem: str, name: str) -> Key:
    """A key to be trusted, from its PEM and whose it is. Raises `trust.key_invalid`."""
    try:
        public = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise LinesideError("trust.key_invalid", why="it is not a public key as PEM") from error
    if isinstance(public, EllipticCurvePublicKey):
        if not isinstance(public.curve, SECP256R1):
            raise LinesideError("trust.key_invalid", why=f"its curve is {public.curve.name}")
    elif not isinstance(public, Ed25519PublicKey):
        raise LinesideError("trust.key_invalid", why="it is neither Ed25519 nor ECDSA")
    name = name.strip()
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise LinesideError("trust.key_invalid", why=f"a name has at most {_LONGEST_NAME} printable characters")
    # PEM has many spellings, the id is of one text: the usual one, so that one key has one id
    usual = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key = SSlibKey.from_crypto(load_pem_public_key(usual))
    if name:
        key.unrecognized_fields[KEY_NAME] = name
    return key


def trust_key(
    role: str, key: Key, *, here: bool = False, added_at: str | None = None, last_used: str | None = None
) -> TrustKey:
    """A key as it travels."""
    name = str(key.unrecognized_fields.get(KEY_NAME, ""))
    return TrustKey(
        id=key.keyid,
        role=role,
        name=name or (HERE if here else ""),
        public=_pem(key),
        here=here,
        added_at=added_at,
        last_used=last_used,
    )


def asked(file: ProposedFile, files: Iterable[ProposedFile], state: State) -> Mapping[str, Key]:
    """The keys that a file's quorums name, by id: those that are trusted now, and those the proposal itself brings."""
    delegations = state.targets.signed.delegations
    pool = {**(delegations.keys if delegations else {}), **state.root.signed.keys}
    for one in files:
        if one.role == "root":
            pool = {**of_text(one.text).signed.keys, **pool}
        elif one.role == "targets":
            delegations = of_text(one.text).signed.delegations
            pool = {**(delegations.keys if delegations else {}), **pool}
    return {key: pool[key] for quorum in file.quorums for key in quorum.keys if key in pool}


def _pem(key: Key) -> str:
    public = str(key.keyval.get("public", ""))
    if key.keytype != "ed25519":
        return public
    raw = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    return raw.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
