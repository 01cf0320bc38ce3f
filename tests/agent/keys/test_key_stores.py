"""What every key store does, whether its keys are files or objects of a PKCS#11 token (SoftHSM)."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey

from lineside.agent.keys.opening import choose, open_keys
from lineside.agent.keys.port import CURRENT, NEXT, PREVIOUS, Box, KeyStore
from lineside.agent.paths import Paths
from lineside.contract.errors import LinesideError
from lineside.contract.sealing import seal
from tests.agent.keys.tokens import make_token

ABOUT = "secret db 1"


@pytest.fixture(params=["file", "pkcs11"])
def keys(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyStore:
    token = make_token(tmp_path / "hsm", monkeypatch).uri if request.param == "pkcs11" else "file"
    store = choose(Paths(tmp_path / "root"), token)
    store.make(CURRENT)
    return store


def public(keys: KeyStore, name: str = CURRENT) -> ec.EllipticCurvePublicKey:
    found = load_pem_public_key(keys.public(name).encode())
    assert isinstance(found, ec.EllipticCurvePublicKey)
    return found


def test_a_key_is_made_once_and_found_again(keys: KeyStore, tmp_path: Path) -> None:
    before = keys.public(CURRENT)
    keys.make(CURRENT)
    assert open_keys(Paths(tmp_path / "root")).public(CURRENT) == before
    assert (keys.exists(CURRENT), keys.exists(NEXT)) == (True, False)
    with pytest.raises(LinesideError, match=r"device\.key_unusable"):
        keys.public(NEXT)


def test_a_request_is_signed_by_the_key_and_says_whose_it_is(keys: KeyStore) -> None:
    request = x509.load_pem_x509_csr(keys.request(CURRENT, "cell-1").encode())
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "CN=cell-1"
    assert request.public_key() == public(keys)
    assert isinstance(request.public_key(), ec.EllipticCurvePublicKey)
    assert public(keys).curve.name == "secp256r1"


def test_a_token_is_signed_by_the_key_and_by_no_other(keys: KeyStore) -> None:
    signed = keys.sign(CURRENT, {"sub": "cell-1", "exp": 5})
    assert jwt.decode(signed, ECKey.import_key(keys.public(CURRENT)), algorithms=["ES256"]).claims["sub"] == "cell-1"
    keys.make(NEXT)
    with pytest.raises(BadSignatureError):
        jwt.decode(signed, ECKey.import_key(keys.public(NEXT)), algorithms=["ES256"])


def test_a_box_opens_with_its_key_and_as_what_it_was_sealed(keys: KeyStore) -> None:
    box = seal(public(keys), b"hunter2", ABOUT.encode())
    assert keys.open(box, ABOUT) == b"hunter2"
    assert keys.open(keys.seal(b"own", ABOUT), ABOUT) == b"own"
    with pytest.raises(LinesideError, match="sealed as something else"):
        keys.open(box, "secret root 1")
    stranger = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises(LinesideError, match="another key"):
        keys.open(seal(stranger, b"x", ABOUT.encode()), ABOUT)


def test_a_key_is_changed_and_what_was_sealed_before_moves_along(keys: KeyStore) -> None:
    old_key, box = keys.public(CURRENT), keys.seal(b"hunter2", ABOUT)
    keys.make(NEXT)
    new_key = keys.public(NEXT)
    assert new_key != old_key
    keys.promote()
    keys.promote()  # after a power cut it may be done again
    assert (keys.public(CURRENT), keys.public(PREVIOUS), keys.exists(NEXT)) == (new_key, old_key, False)
    assert keys.open(box, ABOUT) == b"hunter2"
    (again,) = keys.reseal([Box(sealed=box, about=ABOUT)])
    assert again.key != box.key
    assert keys.reseal([Box(sealed=again, about=ABOUT)]) == [again]
    keys.discard(PREVIOUS)
    keys.discard(PREVIOUS)
    assert keys.open(again, ABOUT) == b"hunter2"
    with pytest.raises(LinesideError, match="another key"):
        keys.open(box, ABOUT)


def test_only_a_file_can_be_given_to_tls(keys: KeyStore, tmp_path: Path) -> None:
    file = keys.file(CURRENT)
    private = [path for path in (tmp_path / "root").rglob("*") if path.is_file() and b"PRIVATE" in path.read_bytes()]
    assert private == ([] if file is None else [file])
    for path in (tmp_path / "root" / "keys").iterdir():
        assert path.stat().st_mode & 0o077 == 0
